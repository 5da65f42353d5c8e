// A call of two pages that may use the TURN server only.

import { befriend, browse, signUp } from "./browser.mjs";
import { playing, prepareCalls as prepare, talk } from "./call_page.mjs";
import { input } from "./hub.mjs";

browse(async (open) => {
  const [ada, bob] = await Promise.all(input.nodes.map((url) => open(url, { prepare })));
  await Promise.all([signUp(ada, input.ada), signUp(bob, input.bob)]);
  await befriend(ada, bob);
  await talk(ada, bob, input.bob);
  return { paths: await Promise.all([ada, bob].map((page) => page.evaluate(path))), played: await playing(ada) };
});

/** In the page: what kind of addresses its media goes between, and which kinds it ever had. */
async function path() {
  const stats = [...(await window.peers.at(-1).getStats()).values()];
  const kind = (id) => stats.find((one) => one.id === id)?.candidateType;
  const pair = stats.find(({ type, state, nominated }) => type === "candidate-pair" && state === "succeeded" && nominated);
  const found = stats.filter(({ type }) => type === "local-candidate").map(({ candidateType }) => candidateType);
  return { local: kind(pair.localCandidateId), found: [...new Set(found)] };
}

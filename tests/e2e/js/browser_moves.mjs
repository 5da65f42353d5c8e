// A call whose media moves while people talk: from each to each, over the hub's media server, to Janus.

import { befriend, browse, signUp, until } from "./browser.mjs";
import { hearsAndSees, longestGap, playing, prepareCrowd as prepare, press, ring, stillOpen, talk } from "./call_page.mjs";
import { input } from "./hub.mjs";

const ON_JANUS = 2; // connections: one for what is sent, one for what comes

browse(async (open) => {
  const names = [input.ada, input.bob, input.eve, input.more];
  const pages = await Promise.all(names.map((_, place) => open(input.nodes[place % input.nodes.length], { prepare })));
  await Promise.all(pages.map((page, place) => signUp(page, names[place])));
  const [ada, bob, eve, dan] = pages;
  for (const page of [bob, eve, dan]) await befriend(ada, page);
  await talk(ada, bob, input.bob);
  const toServer = await grow(pages.slice(0, 2), eve, input.eve, 1);
  const toJanus = await grow(pages.slice(0, 3), dan, input.more, ON_JANUS);
  const all = await Promise.all(pages.map((page) => hearsAndSees(page, 3)));
  await press(dan, "Hang up");
  await until(bob, () => document.querySelectorAll(".their-video").length, (count) => count === 2);
  return { gaps: { toServer, toJanus }, all, left: await playing(bob, 2) };
});

/** One more comes in, by which the media moves; how long Ada and Bob do not see each other meanwhile, in ms. */
async function grow(there, page, name, connections) {
  const [ada, bob] = there;
  const since = await Promise.all([ada, bob].map((one) => one.evaluate(() => performance.now())));
  await ring(ada, name);
  await press(page, "Accept");
  for (const one of [...there, page]) await until(one, stillOpen, (count) => count === connections);
  await Promise.all([...there, page].map((one) => playing(one, there.length)));
  return Promise.all([ada.evaluate(longestGap, [input.bob, since[0]]), bob.evaluate(longestGap, [input.ada, since[1]])]);
}

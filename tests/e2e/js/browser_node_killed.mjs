// A call goes on while each node of the hub is killed in turn, and can be ended afterwards.

import { befriend, browse, connected, signUp, until } from "./browser.mjs";
import { over, played, prepareCalls as prepare, press, talk } from "./call_page.mjs";
import { input } from "./hub.mjs";

const EXPECTED = /Failed to load resource|WebSocket connection to/; // a node that is gone answers nothing

browse(async (open) => {
  const pages = await Promise.all([0, 1].map(() => open(input.shared, { prepare })));
  const [ada, bob] = pages;
  await Promise.all([signUp(ada, input.ada), signUp(bob, input.bob)]);
  await befriend(ada, bob);
  await talk(ada, bob, input.bob);
  await Promise.all(pages.map((page) => page.evaluate(noteLosses)));
  const frames = [];
  for (const pid of input.pids) {
    const before = await Promise.all(pages.map((page) => page.evaluate(played, ".their-video")));
    process.kill(pid, "SIGKILL");
    const after = await Promise.all(pages.map((page, place) => growing(page, before[place])));
    frames.push(before.map(([{ frames }], place) => [frames, after[place][0].frames]));
    await Promise.all(pages.map(connected));
  }
  const losses = await Promise.all(pages.map((page) => page.evaluate(() => window.losses)));
  const peers = await Promise.all(pages.map((page) => page.evaluate(() => window.peers.length)));
  await press(bob, "Hang up");
  return { frames, losses, peers, ended: await over(pages, ada) };
}, EXPECTED);

/** In the page: count how often the hub was lost. */
function noteLosses() {
  window.losses = 0;
  const line = document.getElementById("connection");
  new MutationObserver(() => (window.losses += line.textContent.startsWith("reconnecting"))).observe(line, { childList: true });
}

/** Wait for a second of frames more. */
function growing(page, before) {
  return until(page, played, ([video]) => video.frames > before[0].frames + 20, ".their-video");
}

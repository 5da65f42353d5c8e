// A call that grows from two to several, whose media then goes through the hub's media server; and that shrinks again.

import { befriend, browse, signUp, until } from "./browser.mjs";
import { played, playing, prepareCalls as prepare, press, ring, talk } from "./call_page.mjs";
import { input } from "./hub.mjs";

browse(async (open) => {
  const names = [input.ada, input.bob, ...input.more];
  const pages = await Promise.all(names.map((_, place) => open(input.nodes[place % input.nodes.length], { prepare })));
  await Promise.all(pages.map((page, place) => signUp(page, names[place])));
  const [ada, bob] = pages;
  for (const page of pages.slice(1)) await befriend(ada, page);
  await talk(ada, bob, names[1]);
  for (const [place, page] of pages.entries()) {
    if (place < 2) continue;
    await ring(ada, names[place]);
    await press(page, "Accept");
    await page.locator(".their-video").first().waitFor();
  }
  const all = await Promise.all(pages.map((page) => playing(page, pages.length - 1)));
  const connections = await Promise.all(pages.map((page) => until(page, stillOpen, (count) => count === 1)));
  const screen = await share(ada, bob);
  await press(pages.at(-1), "Hang up");
  await Promise.all(pages.slice(0, -1).map((page) => until(page, played, (seen) => seen.length === pages.length - 2, ".their-video")));
  return { all, connections, screen, left: await playing(bob, pages.length - 2) };
});

/** In the page: how many of its peer connections there are. */
function stillOpen() {
  return window.peers.filter(({ connectionState }) => connectionState !== "closed").length;
}

/** What one sees of the other's screen, which is more than a camera. */
async function share(one, other) {
  await press(one, "Share screen");
  const seen = await playing(other, 1, '.their-video[data-purpose="screenshare"]');
  await press(one, "Share screen");
  await other.locator('.their-video[data-purpose="screenshare"]').waitFor({ state: "detached" });
  return seen;
}

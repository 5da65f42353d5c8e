// A call that grows from two to many, whose media then goes through the hub's media server; and that shrinks again.

import { befriend, browse, signUp, until } from "./browser.mjs";
import { hearsAndSees, played, playing, prepareCrowd as prepare, press, ring, says, stillOpen, talk } from "./call_page.mjs";
import { input } from "./hub.mjs";

browse(async (open) => {
  const names = [input.ada, input.bob, ...input.more];
  const pages = await Promise.all(names.map((_, place) => open(input.nodes[place % input.nodes.length], { prepare })));
  await Promise.all(pages.map((page, place) => signUp(page, names[place])));
  const [ada, bob] = pages;
  const others = pages.length - 1;
  for (const page of pages.slice(1)) await befriend(ada, page);
  await talk(ada, bob, names[1]);
  const made = [];
  for (const place of [2, 3]) {
    await ring(ada, names[place]);
    made.push(await join(pages[place], place));
  }
  for (const name of names.slice(4)) await ring(ada, name); // one by one: a page has one mouse
  made.push(...(await Promise.all(pages.slice(4).map((page) => join(page, others)))));
  const all = await Promise.all(pages.map((page) => hearsAndSees(page, others)));
  const shown = await Promise.all(pages.map((page) => playing(page, others)));
  const connections = await Promise.all(pages.map((page) => until(page, stillOpen, (count) => count === 1)));
  const screen = await share(ada, bob);
  await leave(pages.splice(4), pages);
  const left = await playing(bob, pages.length - 1);
  const returned = await loadAnew(pages.at(-1), ada, pages.length - 1);
  return { all, shown, connections, made, screen, left, returned };
});

/** These hang up, and the others see only each other. */
async function leave(leaving, staying) {
  await Promise.all(leaving.map((page) => press(page, "Hang up")));
  const few = (seen) => seen.length === staying.length - 1;
  await Promise.all(staying.map((page) => until(page, played, few, ".their-video")));
}

/** Accept, and wait until so many are seen. How many connections that took. */
async function join(page, others) {
  await press(page, "Accept");
  await page.locator(".their-video").nth(others - 1).waitFor();
  return page.evaluate(() => window.peers.length);
}

/** What one sees of the other's screen, which is more than a camera. */
async function share(one, other) {
  await press(one, "Share screen");
  const seen = await playing(other, 1, '.their-video[data-purpose="screenshare"]');
  await press(one, "Share screen");
  await other.locator('.their-video[data-purpose="screenshare"]').waitFor({ state: "detached" });
  return seen;
}

/** Somebody loads the page anew, and one of the others; what each sees then. */
async function loadAnew(page, other, others) {
  await page.reload();
  await says(page, "in a call with");
  return Promise.all([page, other].map((one) => playing(one, others)));
}

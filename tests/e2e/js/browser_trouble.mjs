// A bad network, and somebody who presses buttons again: nothing is made twice, shown twice, forgotten or left waiting.

import { befriend, browse, connected, hold, publish, reconnect, signUp, until } from "./browser.mjs";
import { input } from "./hub.mjs";

const MADE_HERE = /Failed to load resource/; // the browser complains of each answer that is lost below

browse(async (open) => {
  const [ada, bob] = await Promise.all([open(input.nodes[0]), open(input.nodes[1], { prepare: (one) => one.clock.install() })]);
  await Promise.all([signUp(ada, input.ada), signUp(bob, input.bob)]);
  await befriend(ada, bob);
  const published = await pressedTwice(ada);
  const changed = await changedLater(ada, bob);
  const conversation = await readTwice(ada);
  return { published, changed, conversation, session: await withoutAnswers(bob) };
}, MADE_HERE);

/** A post is stored and no answer says so; the button is pressed again. The posts that there are then. */
async function pressedTwice(page) {
  const posts = (url) => url.pathname === "/api/v1/posts";
  await page.route(posts, async (route) => {
    await route.fetch();
    await route.abort();
  });
  await page.getByLabel("Title", { exact: true }).fill("Of bridges");
  await page.getByLabel("Text", { exact: true }).fill("They hold.");
  await page.getByRole("button", { name: "Publish" }).click();
  await page.getByText("The hub does not answer").waitFor();
  await page.unroute(posts);
  await publish(page, "Of bridges", "They hold.");
  await publish(page, "Of rivers", "They run.");
  return page.locator("#post-list li", { hasText: "by you" }).locator("h3").allTextContents();
}

/** A post that was there before the connection was lost is changed after it came back. */
async function changedLater(writer, reader) {
  const post = reader.locator("#post-list li", { hasText: "Of rivers" }).filter({ hasText: `by ${input.ada}` });
  await post.waitFor();
  await reconnect(reader);
  await writer.getByRole("button", { name: "Edit" }).first().click();
  await writer.getByLabel("Text", { exact: true }).fill("They ran.");
  await writer.getByRole("button", { name: "Change" }).click();
  await post.getByText("They ran.").waitFor();
  return post.locator("p:not(.by, .acts, .typing)").allTextContents();
}

/** The connection comes back twice, and the first reading of the conversation ends after the second. */
async function readTwice(page) {
  await page.getByText("Make a new one").click();
  await page.getByLabel("Name", { exact: true }).fill("Lumen");
  await page.locator("#companion-new").getByRole("button", { name: "Create" }).click();
  await page.locator("#companion-choice option", { hasText: "Lumen" }).waitFor({ state: "attached" });
  const next = await sayAndTypeOn(page, "One.", "Two.");

  const messages = (url) => url.pathname.endsWith("/messages");
  const readings = [];
  let secondAnswered;
  const second = new Promise((resolve) => (secondAnswered = resolve));
  await page.route(messages, async (route) => {
    const isFirst = readings.push(route) === 1;
    const response = await route.fetch();
    if (isFirst) await second;
    await route.fulfill({ response });
    secondAnswered();
  });
  for (const count of [1, 2]) {
    await reconnect(page);
    await until(page, () => null, () => readings.length === count);
  }
  await page.unroute(messages, { behavior: "wait" });
  await sayAndTypeOn(page, next, "");
  return page.locator("#companion-talk .mine").allTextContents();
}

/** Say something and, before the hub has it, type what is said next; give what stands in the field after the reply. */
async function sayAndTypeOn(page, message, next) {
  const replies = page.locator("#companion-talk .theirs footer");
  const before = await replies.count();
  const field = page.getByLabel("Message");
  const release = await hold(page);
  await field.fill(message);
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("#companion-talk .mine").filter({ hasText: message }).last().waitFor();
  await field.fill(next);
  await release();
  await replies.nth(before).waitFor();
  return field.inputValue();
}

/** Who reloads gets no answer at all, then one of a proxy, and then the hub again. Still the same person is in. */
async function withoutAnswers(page) {
  let asked = 0;
  await page.route("**/auth/refresh", (route) => {
    asked += 1;
    if (asked === 2) return route.fulfill({ status: 503, body: "" });
    if (asked > 2) return route.continue();
  });
  await page.reload();
  await until(page, () => null, () => asked === 1);
  await page.clock.fastForward(15_000);
  await connected(page);
  return { asked, name: await page.locator("#my-name").textContent() };
}

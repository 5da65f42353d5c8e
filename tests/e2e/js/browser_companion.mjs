// Somebody and their companion: a reply that streams, one that is stopped, and the memories that a later one used.

import { browse, connected, signUp } from "./browser.mjs";
import { input } from "./hub.mjs";

browse(async (open) => {
  const page = await open(input.nodes[0]);
  await signUp(page, input.ada);
  await page.getByText("Make a new one").click();
  await page.getByLabel("Name", { exact: true }).fill("Lumen");
  await page.getByLabel("Interests").fill("tea, night trains");
  await page.locator("#companion-new").getByRole("button", { name: "Create" }).click();
  await page.locator("#companion-choice option", { hasText: "Lumen" }).waitFor({ state: "attached" });

  const first = await say(page, "My sister Mara lives in Lisbon and paints boats.");
  const second = await say(page, "Where does my sister Mara live?");
  await page.reload();
  await connected(page);
  await page.locator("#companion-talk .theirs").nth(1).waitFor();
  const kept = await page.locator("#companion-talk article > p").allTextContents();
  return { first, second, kept };
});

/** Say something and wait for the whole reply. */
async function say(page, message) {
  const replies = page.locator("#companion-talk .theirs");
  const before = await replies.count();
  await page.getByLabel("Message").fill(message);
  await page.getByRole("button", { name: "Send" }).click();
  const reply = replies.nth(before);
  await reply.locator("footer").waitFor();
  return {
    text: await reply.locator("> p").textContent(),
    source: await reply.locator("footer").textContent(),
    memories: await reply.locator("details li").allTextContents(),
  };
}

// Two people with a page each, on two nodes: presence, posts, typing, and one document.

import { befriend, browse, documentOf, openDocument, person, publish, signUp, until } from "./browser.mjs";
import { input } from "./hub.mjs";

const [ADA_TYPES, BOB_TYPES] = ["From Ada, all of it at once. ", "And from Bob, meanwhile! 😀 "];

browse(async (open) => {
  const [ada, bob] = await Promise.all(input.nodes.map((url) => open(url)));
  await Promise.all([signUp(ada, input.ada), signUp(bob, input.bob)]);
  await befriend(ada, bob);
  return { presence: await presence(ada, bob), posts: await posts(ada, bob), document: await share(ada, bob) };
});

async function presence(ada, bob) {
  const status = person(ada, input.bob).locator(".status");
  const seen = [];
  await bob.getByText("Who sees and calls you").click();
  for (const [label, choice, shown] of [
    ["Your status", "online", "online"],
    ["Your status", "busy", "busy"],
    ["That you are there", "nobody", "offline"],
    ["That you are there", "everyone", "busy"],
    ["Your status", "invisible", "offline"],
  ]) {
    await bob.getByLabel(label).selectOption(choice);
    await status.filter({ hasText: shown }).waitFor();
    seen.push(await status.textContent());
  }
  return seen;
}

async function posts(ada, bob) {
  await publish(ada, "Of clouds", "First <b>words</b>.\n\nThen more.");
  const post = bob.locator("#post-list li").first();
  await post.getByText("Of clouds").waitFor();
  const arrived = await post.locator("p:not(.by, .acts, .typing)").allTextContents();

  await ada.getByRole("button", { name: "Edit" }).click();
  await ada.getByLabel("Text", { exact: true }).pressSequentially(" And the end.");
  const typing = bob.locator("#post-list .typing").filter({ hasText: "writing" });
  await typing.waitFor();
  const typed = await typing.textContent();
  await ada.getByRole("button", { name: "Change" }).click();
  await post.getByText("And the end.").waitFor();
  await until(bob, () => document.querySelector("#post-list .typing").textContent, (text) => text === "");
  return { arrived, typed };
}

async function share(ada, bob) {
  await openDocument(ada, bob, "Minutes", input.bob);
  const editors = [ada, bob].map((page) => page.getByLabel("Text of the document"));
  await Promise.all(editors.map((editor) => editor.click()));
  await Promise.all([editors[0].pressSequentially(ADA_TYPES), editors[1].pressSequentially(BOB_TYPES)]);
  for (const page of [ada, bob]) await page.getByText("✓ saved").waitFor();
  const length = ADA_TYPES.length + BOB_TYPES.length;
  const texts = await Promise.all([ada, bob].map((page) => documentOf(page, length)));
  await bob.locator("#document-people .chip", { hasText: input.ada }).waitFor();
  await ada.locator(".caret-name", { hasText: input.bob }).waitFor();
  const caret = await ada.locator(".caret").evaluate((element) => getComputedStyle(element).borderLeftColor);
  return { texts, caret };
}

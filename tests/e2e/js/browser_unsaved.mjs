// What becomes of text that is not saved yet, and of a document with somebody in it who means harm.

import * as Y from "yjs";
import { befriend, browse, chosenDocument, createDocument, documentText, hold, openDocument, signUp, tokenOf, until } from "./browser.mjs";
import { connect, input, ok } from "./hub.mjs";

const LINE = "All work and no play makes Jack a dull boy.\n"; // 44 letters

browse(async (open) => {
  const [ada, bob] = await Promise.all(input.nodes.map((url) => open(url)));
  await Promise.all([signUp(ada, input.ada), signUp(bob, input.bob)]);
  await befriend(ada, bob);
  await createDocument(ada, "Hers");
  await openDocument(ada, bob, "Ours", input.bob);
  const hostile = await strangeCursors(ada);
  const left = await leave(ada);
  const pasted = await paste(ada);
  return { hostile, left, pasted, connection: await ada.locator("#connection").textContent() };
});

/** Somebody tells of themselves what no page tells. What is shown of them. */
async function strangeCursors(page) {
  const documentId = new URLSearchParams(new URL(page.url()).hash.slice(1)).get("document");
  const mallory = await connect(input.nodes[1], { token: await tokenOf(input.nodes[1], input.bob) });
  await ok(mallory, "collab:join", { documentId, stateVector: Y.encodeStateVector(new Y.Doc()) });
  const strange = { toString: 1, valueOf: 1 };
  const state = { user: { id: strange, name: strange }, cursor: { anchor: strange, head: [strange] } };
  await ok(mallory, "collab:awareness", { documentId, update: told(state) });
  const shown = page.locator("#document-people .chip", { hasText: "somebody" });
  await shown.waitFor();
  mallory.disconnect();
  await shown.waitFor({ state: "detached" });
  return page.locator("#document-people .chip").count();
}

/** An awareness update (y-protocols): one client, its number and clock, and its state as JSON. */
function told(state) {
  const json = new TextEncoder().encode(JSON.stringify(state));
  return new Uint8Array([1, 77, 1, json.length | 0x80, json.length >> 7, ...json]);
}

/** Choose another document while something is not saved, and stay; then again when it is. */
async function leave(page) {
  const questions = [];
  page.on("dialog", (dialog) => dialog.dismiss(questions.push(dialog.message())));
  const release = await hold(page);
  await page.getByLabel("Text of the document").click();
  await page.getByLabel("Text of the document").pressSequentially("Kept.");
  await page.getByText("saving…").waitFor();
  await page.getByLabel("Open").selectOption({ label: "Hers" });
  const stayed = { chosen: await chosenDocument(page), text: await documentText(page) };
  await release();
  await page.getByText("✓ saved").waitFor();
  await page.getByLabel("Open").selectOption({ label: "Hers" });
  await until(page, () => document.getElementById("editor").shadowRoot.textContent, (text) => !text.includes("Kept."));
  return { questions, stayed, chosen: await chosenDocument(page) };
}

/** In the page: paste into the editor. */
function insert(text) {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", text);
  const pasting = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
  document.getElementById("editor").shadowRoot.querySelector(".cm-content").dispatchEvent(pasting);
}

/** Paste much, twice before the hub has the first; then more at once than the hub takes. */
async function paste(page) {
  const state = page.locator("#document-state");
  const release = await hold(page);
  for (let time = 0; time < 2; time++) await page.evaluate(insert, LINE.repeat(12_000));
  await page.getByText("saving…").waitFor();
  await release();
  await page.getByText("✓ saved").waitFor();
  const parts = await state.textContent();
  await page.evaluate(insert, LINE.repeat(21_000));
  await state.filter({ hasText: "not saved" }).waitFor();
  return [parts, await state.textContent()];
}

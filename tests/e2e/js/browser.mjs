// What the scripts with a browser share: Chromium, a page for each person, and everything that a page complains of.

import { chromium } from "playwright-core";
import { input } from "./hub.mjs";

const ANSWER_MS = 15_000;
const PASSWORD = "correct horse battery staple";
const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  // A camera and a microphone of its own, and nobody to ask for them.
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  // Two pages on one machine: addresses as they are, loopback included.
  "--allow-loopback-in-peer-connection",
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];

/** Run a flow with a fresh browser and print what it returns as JSON, with the complaints of all its pages. */
export async function browse(flow) {
  const browser = await chromium.launch({ executablePath: input.chromium, args: FLAGS });
  const complaints = [];
  try {
    const seen = await flow((url, options) => open(browser, complaints, url, options));
    console.log(JSON.stringify({ ...seen, complaints }));
  } catch (error) {
    console.error(error, complaints);
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

/** Make an account by the door of the page, and wait until the hub is there. */
export async function signUp(page, name) {
  await page.getByLabel("Username").fill(name);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByLabel("Email").fill(`${name}@example.org`);
  await page.getByRole("button", { name: "Make an account" }).click();
  await connected(page);
}

/** Wait until events are served. */
export function connected(page) {
  return page.locator("#connection", { hasText: /^connected$/ }).waitFor();
}

/** Follow each other, by the ids that each page shows. */
export async function befriend(one, other) {
  const ids = await Promise.all([one, other].map((page) => page.getByLabel("Your id").inputValue()));
  await Promise.all([follow(one, ids[1]), follow(other, ids[0])]);
}

/** Write a post. */
export async function publish(page, title, text) {
  await page.getByLabel("Title", { exact: true }).fill(title);
  await page.getByLabel("Text", { exact: true }).fill(text);
  await page.getByRole("button", { name: "Publish" }).click();
  await page.locator("#post-list li").first().getByText(title).waitFor();
}

/** Make a document, share it with a friend by name, and open it in both pages. */
export async function openDocument(owner, friend, title, friendsName) {
  await owner.getByLabel("New title").fill(title);
  await owner.locator("#document-new").getByRole("button", { name: "Create" }).click();
  await owner.getByText("✓ saved").waitFor();
  await owner.getByLabel("Share with").selectOption({ label: friendsName });
  await owner.getByRole("button", { name: "Let them write" }).click();
  await owner.getByText(`${friendsName} may write here now.`).waitFor();
  await friend.getByLabel("Open").focus();
  await friend.locator("#document-choice option", { hasText: title }).waitFor({ state: "attached" });
  await friend.getByLabel("Open").selectOption({ label: title });
  await friend.getByText("✓ saved").waitFor();
}

/** Wait until `read`, run in the page, gives something that fits; give that. */
export async function until(page, read, fits, given = null) {
  const end = Date.now() + ANSWER_MS;
  for (;;) {
    const value = await page.evaluate(read, given);
    if (fits(value)) return value;
    if (Date.now() > end) throw new Error(`not so within ${ANSWER_MS} ms; last: ${JSON.stringify(value)}`);
    await page.waitForTimeout(50);
  }
}

/** A person's line in the list of people. */
export function person(page, name) {
  return page.locator(`#people-list li[data-user="${name}"]`);
}

/** The text of the open document. CodeMirror draws only what is in view, so ask only for what is short. */
export function documentText(page) {
  return page.evaluate(readDocument);
}

/** Wait until the open document has as many letters as that, and give its text. */
export function documentOf(page, length) {
  return until(page, readDocument, (text) => text.length === length);
}

async function follow(page, id) {
  await page.getByLabel("Follow by id").fill(id);
  await page.locator("#people-add").getByRole("button", { name: "Follow" }).click();
  await page.locator("#people-list li").first().waitFor();
}

async function open(browser, complaints, url, { prepare = null, ...options } = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(ANSWER_MS);
  await context.addInitScript(watch);
  if (prepare) await prepare(context);
  const page = await context.newPage();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => complaints.push(String(error.stack)));
  await page.goto(url);
  return page;
}

/** In the page: the lines of the editor, without the names at the cursors. */
function readDocument() {
  const lines = document.getElementById("editor").shadowRoot.querySelectorAll(".cm-line");
  const copies = Array.from(lines, (line) => line.cloneNode(true));
  for (const caret of copies.flatMap((line) => [...line.querySelectorAll(".caret")])) caret.remove();
  return copies.map((line) => line.textContent).join("\n");
}

/** In the page, before its scripts: violations of its policy are complaints, and its sockets can be got at. */
function watch() {
  document.addEventListener("securitypolicyviolation", (event) => {
    console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
  });
  window.sockets = [];
  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      window.sockets.push(this);
    }
  };
}

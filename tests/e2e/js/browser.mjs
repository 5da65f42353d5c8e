// What the scripts with a browser share: Chromium, a page for each person, and everything that a page complains of.

import { chromium } from "playwright-core";
import { FLAGS } from "./browser_flags.mjs";
import { input } from "./hub.mjs";

const ANSWER_MS = 30_000;
const PASSWORD = "correct horse battery staple";

/** Run a flow, with a browser of its own or in contexts of one that runs, and print what it returns as JSON, with the complaints of all its pages but `expected`. */
export async function browse(flow, expected = null) {
  const browser = input.browser
    ? await chromium.connect(input.browser)
    : await chromium.launch({ executablePath: input.chromium, args: FLAGS });
  const complaints = [];
  try {
    const seen = await flow((url, options) => open(browser, complaints, url, options));
    console.log(JSON.stringify({ ...seen, complaints: complaints.filter((one) => !expected?.test(one)) }));
  } catch (error) {
    console.error(error, complaints);
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

/** Make an account by the door of the page, and wait until the hub is there. */
export async function signUp(page, name) {
  await page.getByLabel("Username", { exact: true }).fill(name);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByLabel("Email").fill(`${name}@example.org`);
  await page.getByRole("button", { name: "Make an account" }).click();
  await connected(page);
}

/** Come in by the door with an account that is there, on another device. */
export async function signIn(page, name) {
  await page.getByLabel("Username", { exact: true }).fill(name);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await connected(page);
}

/** A token of somebody who has made an account in a page, for a connection without one. */
export async function tokenOf(url, username) {
  const body = JSON.stringify({ username, password: PASSWORD });
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(`${url}/api/v1/auth/signin`, { method: "POST", headers, body });
  return (await answer.json()).accessToken;
}

/** Lose the connection, and wait until it is back. */
export async function reconnect(page) {
  await page.evaluate(() => window.sockets.forEach((socket) => socket.close()));
  await page.getByText("reconnecting…").waitFor();
  await connected(page);
}

/** Keep back what the page sends by socket, until the function that is given back is called. */
export async function hold(page) {
  await page.evaluate(() => {
    window.held = [];
    for (const socket of window.sockets) socket.send = (data) => window.held.push([socket, data]);
  });
  return () =>
    page.evaluate(() => {
      for (const socket of window.sockets) delete socket.send;
      for (const [socket, data] of window.held) socket.send(data);
    });
}

/** Wait until events are served. */
export function connected(page) {
  return page.locator("#connection", { hasText: /^connected$/ }).waitFor();
}

/** Follow each other, by the names that each page shows. */
export async function befriend(one, other) {
  const names = await Promise.all([one, other].map((page) => page.locator("#my-username").textContent()));
  await Promise.all([follow(one, names[1].toUpperCase()), follow(other, names[0])]);
}

/** Write a post. */
export async function publish(page, title, text) {
  await page.getByLabel("Title", { exact: true }).fill(title);
  await page.getByLabel("Text", { exact: true }).fill(text);
  await page.getByRole("button", { name: "Publish" }).click();
  await page.locator("#post-list li").first().getByText(title).waitFor();
}

/** Make a document, and wait until it is open. */
export async function createDocument(page, title) {
  await page.getByLabel("New title").fill(title);
  await page.locator("#document-new").getByRole("button", { name: "Create" }).click();
  await until(page, readChoice, (chosen) => chosen === title);
  await page.getByText("✓ saved").waitFor();
}

/** The title that is chosen in the list of documents. */
export function chosenDocument(page) {
  return page.evaluate(readChoice);
}

/** Make a document, share it with a friend by name, and open it in both pages. */
export async function openDocument(owner, friend, title, friendsName) {
  await createDocument(owner, title);
  await owner.getByLabel("Share with").selectOption({ label: friendsName });
  await owner.getByRole("button", { name: "Let them write" }).click();
  await owner.getByText(`${friendsName} may write here now.`).waitFor();
  await friend.getByLabel("Open").focus();
  await friend.locator("#document-choice option", { hasText: title }).waitFor({ state: "attached" });
  await friend.getByLabel("Open").selectOption({ label: title });
  await friend.getByText("✓ saved").waitFor();
}

/** Wait until `read`, run in the page, gives something that fits; give that. Read again every so often. */
export async function until(page, read, fits, given = null, everyMs = 50) {
  const end = Date.now() + ANSWER_MS;
  for (;;) {
    const value = await page.evaluate(read, given);
    if (fits(value)) return value;
    if (Date.now() > end) throw new Error(`not so within ${ANSWER_MS} ms; last: ${JSON.stringify(value)}`);
    await page.waitForTimeout(everyMs);
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

async function follow(page, name) {
  await page.getByLabel("Follow by username").fill(name);
  await page.locator("#people-add").getByRole("button", { name: "Follow" }).click();
  // Until it is done, and the form empty, the page takes no other name.
  await until(page, () => document.querySelector("#people-add input").value, (text) => text === "");
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

/** In the page. */
function readChoice() {
  return document.getElementById("document-choice").selectedOptions[0]?.label;
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

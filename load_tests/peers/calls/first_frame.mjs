// Two pages that call each other in turn: how long after the press on "Accept" each of them shows the other's picture.
// Prints a line of JSON a call: {"callee", "caller"}, in milliseconds.

import { chromium } from "playwright-core";

const { executable, urls, calls } = JSON.parse(process.argv[2]);
const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--allow-loopback-in-peer-connection",
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];
const ANSWER_MS = 20_000;

const browser = await chromium.launch({ executablePath: executable, args: FLAGS });
try {
  const pages = await Promise.all(urls.map((url, number) => enter(url, `caller_${number}`)));
  await Promise.all(pages.map((page, number) => follow(page, `caller_${1 - number}`)));
  for (let call = 0; call < calls; call++) console.log(JSON.stringify(await measure(pages[call % 2], pages[1 - (call % 2)])));
} finally {
  await browser.close();
}

/** A page with a new account. */
async function enter(url, name) {
  const context = await browser.newContext({ permissions: ["camera", "microphone"] }); // somebody who was asked before
  context.setDefaultTimeout(ANSWER_MS);
  await context.addInitScript(watch);
  const page = await context.newPage();
  await page.goto(url);
  await page.getByLabel("Username", { exact: true }).fill(name);
  await page.getByLabel("Password").fill("correct horse battery staple");
  await page.getByLabel("Email").fill(`${name}@example.org`);
  await page.getByRole("button", { name: "Make an account" }).click();
  await page.locator("#connection", { hasText: /^connected$/ }).waitFor();
  return page;
}

async function follow(page, name) {
  await page.getByLabel("Follow by username").fill(name);
  await page.locator("#people-add").getByRole("button", { name: "Follow" }).click();
  await page.locator("#people-list li").first().waitFor();
}

async function measure(caller, callee) {
  await Promise.all([caller, callee].map((page) => page.evaluate(() => window.expectFrame())));
  await caller.locator("#people-list").getByRole("button", { name: "Call" }).click();
  await callee.locator("#call-accept").click();
  const [shown, other] = await Promise.all([callee, caller].map((page) => page.evaluate(() => window.firstFrame)));
  const pressed = await callee.evaluate(() => window.pressed);
  await caller.locator("#call-end").click();
  for (const page of [caller, callee]) await page.locator("#call").waitFor({ state: "hidden" });
  return { callee: shown - pressed, caller: other - pressed };
}

/** In the page, before its scripts: when "Accept" is pressed, and when the first frame of a call is shown. Unix ms. */
function watch() {
  const now = () => performance.timeOrigin + performance.now();
  let shown = () => {};
  window.expectFrame = () => void (window.firstFrame = new Promise((resolve) => (shown = resolve)));
  addEventListener("click", (event) => event.target.id === "call-accept" && (window.pressed = now()), true);
  const observed = new MutationObserver((changes) => {
    for (const video of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
      if (video.className === "their-video") video.requestVideoFrameCallback(() => shown(now()));
    }
  });
  addEventListener("DOMContentLoaded", () => observed.observe(document.getElementById("call-videos"), { childList: true }));
}

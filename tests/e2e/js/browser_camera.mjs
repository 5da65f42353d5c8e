// Hanging up while the browser still asks for the camera.

import { befriend, browse, hold, person, signUp } from "./browser.mjs";
import { press, ring, says } from "./call_page.mjs";
import { input } from "./hub.mjs";

browse(async (open) => {
  const [ada, bob] = await Promise.all(input.nodes.map((url) => open(url)));
  await Promise.all([signUp(ada, input.ada), signUp(bob, input.bob)]);
  await befriend(ada, bob);
  return { sent: await hungUpEarly(ada) };
});

/** What the hub is told of calls, in order. */
async function hungUpEarly(page) {
  await page.evaluate(askForTheCamera);
  const release = await hold(page);
  await ring(page, input.bob);
  await says(page, `calling ${input.bob}`);
  await press(page, "Hang up");
  await page.locator("#call").waitFor({ state: "hidden" });
  await page.evaluate(() => window.allow());
  await page.evaluate(() => window.allowed);
  await release();
  await person(page, input.bob).getByRole("button", { disabled: false }).waitFor();
  return page.evaluate(() => window.held.flatMap(([, data]) => String(data).match(/call:\w+/) ?? []));
}

/** In the page: from now on the browser gives no camera before `allow` is called; `allowed` is when it was given. */
function askForTheCamera() {
  const devices = navigator.mediaDevices;
  const open = devices.getUserMedia.bind(devices);
  devices.getUserMedia = (wanted) => {
    window.allowed = new Promise((resolve) => (window.allow = resolve)).then(() => open(wanted));
    return window.allowed;
  };
}

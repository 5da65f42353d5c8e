// A video call between two pages on two nodes: one that is accepted, and one that is declined.

import { befriend, browse, hold, person, signUp, until } from "./browser.mjs";
import { input } from "./hub.mjs";

const played = () => {
  const video = document.getElementById("their-video");
  return { frames: video.getVideoPlaybackQuality().totalVideoFrames, seconds: video.currentTime };
};

browse(async (open) => {
  const [ada, bob] = await Promise.all(input.nodes.map((url) => open(url)));
  await Promise.all([signUp(ada, input.ada), signUp(bob, input.bob)]);
  await befriend(ada, bob);
  const seen = {};

  await person(ada, input.bob).getByRole("button").click();
  await bob.getByText(`call from ${input.ada}`).waitFor();
  await ada.getByText(`ringing at ${input.bob}`).waitFor();
  const clicked = Date.now();
  await bob.getByRole("button", { name: "Accept" }).click();
  seen.played = await Promise.all([ada, bob].map(playing));
  seen.firstFramesMs = Date.now() - clicked;
  await bob.getByRole("button", { name: "Hang up" }).click();
  seen.ended = await over(ada, bob, ada);

  await person(bob, input.ada).getByRole("button").click();
  await ada.getByText(`call from ${input.bob}`).waitFor();
  await ada.getByRole("button", { name: "Hang up" }).click();
  seen.declined = await over(ada, bob, bob);

  seen.sent = await hungUpEarly(ada);
  return seen;
});

/** Hang up while the browser still asks for the camera; what the hub is told of calls, in order. */
async function hungUpEarly(page) {
  await page.evaluate(askForTheCamera);
  const release = await hold(page);
  await person(page, input.bob).getByRole("button").click();
  await page.getByText(`calling ${input.bob}`).waitFor();
  await page.getByRole("button", { name: "Hang up" }).click();
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

/** Wait for frames, then for more of them: what plays and not just a first picture. */
async function playing(page) {
  const first = await until(page, played, ({ frames }) => frames > 0);
  const later = await until(page, played, ({ frames, seconds }) => frames > first.frames + 5 && seconds > first.seconds);
  return { first, later };
}

/** Wait until the call is over for both; what the one who did not end it is told. */
async function over(ada, bob, told) {
  for (const page of [ada, bob]) await page.locator("#call").waitFor({ state: "hidden" });
  await told.locator("#notice:not(:empty)").waitFor();
  return told.locator("#notice").textContent();
}

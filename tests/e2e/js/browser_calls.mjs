// Calls between pages on two nodes: Ada, Bob with two devices, and Eve. Each scenario says what was seen, or how it failed.

import { befriend, browse, connected, hold, signIn, signUp, until } from "./browser.mjs";
import { over, peer, played, playing, prepareCalls as prepare, press, ring, says, talk } from "./call_page.mjs";
import { input } from "./hub.mjs";

const QUIET_MS = 600; // a dozen frames, if any came

browse(async (open) => {
  const [ada, bob, phone, eve] = await Promise.all([0, 1, 0, 1].map((node) => open(input.nodes[node], { prepare })));
  await Promise.all([signUp(ada, input.ada), signUp(bob, input.bob), signUp(eve, input.eve)]);
  await befriend(ada, bob);
  await befriend(ada, eve);
  await signIn(phone, input.bob); // now: a list of people is read at the beginning
  const seen = {};
  for (const scenario of [answered, taken, offersAtOnce, restarted, held, shared, returned, copied, ended, declined, takenBack, callsAtOnce, three]) {
    seen[scenario.name] = await scenario({ ada, bob, phone, eve });
  }
  return seen;
});

/** It rings on both devices of Bob, who answers on one. */
async function answered({ ada, bob, phone }) {
  await ring(ada, input.bob);
  await Promise.all([bob, phone].map((page) => says(page, `call from ${input.ada}`)));
  await says(ada, `ringing at ${input.bob}`);
  await press(bob, "Accept");
  const elsewhere = await over([phone], phone);
  return { elsewhere, played: await Promise.all([ada, bob].map((page) => playing(page))) };
}

/** Bob goes on with it on his other device, and comes back. */
async function taken({ ada, bob, phone }) {
  await phone.getByRole("button", { name: "Go on here" }).click();
  const moved = await over([bob], bob);
  const there = await Promise.all([ada, phone].map((page) => playing(page)));
  await bob.getByRole("button", { name: "Go on here" }).click();
  await over([phone], phone);
  return { moved, there, back: await Promise.all([ada, bob].map((page) => playing(page))) };
}

/** Both renegotiate before either hears of the other's offer. */
async function offersAtOnce({ ada, bob }) {
  const releases = await Promise.all([ada, bob].map(hold));
  await Promise.all([ada, bob].map((page) => page.evaluate(() => window.peers.at(-1).createDataChannel("more"))));
  const offers = (data) => String(data).includes("call:signal") && String(data).includes("offer");
  for (const page of [ada, bob]) await until(page, () => window.held.map(([, data]) => String(data)), (sent) => sent.some(offers));
  await Promise.all(releases.map((release) => release()));
  const isOpen = ({ signaling, lines }) => signaling === "stable" && lines === 3;
  const peers = await Promise.all([ada, bob].map((page) => until(page, peer, isOpen)));
  return { peers, played: await Promise.all([ada, bob].map((page) => playing(page))) };
}

/** Ada comes to another network. */
async function restarted({ ada, bob }) {
  const before = await Promise.all([ada, bob].map((page) => page.evaluate(peer)));
  await ada.evaluate(() => window.dispatchEvent(new Event("online")));
  const old = before.flatMap(({ ufrags }) => ufrags);
  const isNew = ({ ufrags, signaling }) => signaling === "stable" && ufrags.every((one) => one && !old.includes(one));
  const peers = await Promise.all([ada, bob].map((page) => until(page, peer, isNew)));
  return { peers, before, played: await Promise.all([ada, bob].map((page) => playing(page))) };
}

/** Bob holds the call and goes on; Ada mutes herself. */
async function held({ ada, bob }) {
  await press(bob, "Hold");
  await says(ada, `${input.bob} (holds)`);
  await until(ada, stopped, (isStopped) => isStopped, QUIET_MS);
  await until(bob, stopped, (isStopped) => isStopped, QUIET_MS);
  await press(bob, "Hold");
  const again = await Promise.all([ada, bob].map((page) => playing(page)));
  await press(ada, "Mute");
  await says(bob, `${input.ada} (muted)`);
  const sends = await ada.evaluate(() => window.peers.at(-1).getSenders().map(({ track }) => [track.kind, track.enabled]));
  await press(ada, "Mute");
  return { again, sends };
}

/** In the page: whether nothing of the video plays for a while. */
async function stopped(whileMs) {
  const frames = () => document.querySelector(".their-video").getVideoPlaybackQuality().totalVideoFrames;
  const before = frames();
  await new Promise((resolve) => setTimeout(resolve, whileMs));
  return frames() === before;
}

/** Ada shows her screen beside her camera, and stops that. */
async function shared({ ada, bob }) {
  const screen = '.their-video[data-purpose="screenshare"]';
  await press(ada, "Share screen");
  const seen = await playing(bob, 1, screen);
  const beside = await bob.locator(".their-video").count();
  await press(ada, "Share screen");
  await bob.locator(screen).waitFor({ state: "detached" });
  return { seen, beside, camera: await playing(bob) };
}

/** Bob, who is muted, loads the page anew. */
async function returned({ ada, bob }) {
  await press(bob, "Mute");
  await says(ada, `${input.bob} (muted)`);
  await bob.reload();
  await says(bob, `in a call with ${input.ada}`);
  const played = await Promise.all([ada, bob].map((page) => playing(page)));
  const muted = await bob.getByRole("button", { name: "Mute", exact: true }).getAttribute("aria-pressed");
  await press(bob, "Mute");
  await ada.locator("#call-state", { hasText: /^in a call with \S+$/ }).waitFor();
  return { played, muted };
}

/** Bob copies the tab, and with it what it keeps. The call stays where it is. */
async function copied({ ada, bob }) {
  const kept = await bob.evaluate(() => ({ ...sessionStorage }));
  const copy = await bob.context().newPage();
  await copy.addInitScript((items) => Object.assign(sessionStorage, items), kept);
  await copy.goto(bob.url());
  await until(copy, () => sessionStorage.getItem("sparkle-call"), (callId) => callId === null);
  await connected(copy);
  const played = await Promise.all([ada, bob].map((page) => playing(page)));
  const isShown = await copy.locator("#call").isVisible();
  await copy.close();
  return { played, isShown };
}

async function ended({ ada, bob }) {
  await press(bob, "Hang up");
  const told = await over([ada, bob], ada);
  return { told, open: await ada.evaluate(() => window.peers.filter(({ connectionState }) => connectionState !== "closed").length) };
}

/** Bob lets one device ring no more, and declines on the other: it is over on all. */
async function declined({ ada, bob, phone }) {
  await ring(ada, input.bob);
  await Promise.all([bob, phone].map((page) => says(page, `call from ${input.ada}`)));
  await press(phone, "Ignore");
  await phone.locator("#call").waitFor({ state: "hidden" });
  const ringsOn = await bob.locator("#call-state").textContent();
  await press(bob, "Decline");
  return { ringsOn, told: await over([ada, bob, phone], ada) };
}

async function takenBack({ ada, bob, phone }) {
  await ring(ada, input.bob);
  await Promise.all([bob, phone].map((page) => says(page, `call from ${input.ada}`)));
  await press(ada, "Hang up");
  return over([ada, bob, phone], bob);
}

/** Both call before either hears of the other's call: there is one call, without anybody accepting. */
async function callsAtOnce({ ada, bob, phone }) {
  const releases = await Promise.all([ada, bob].map(hold));
  await Promise.all([ring(ada, input.bob), ring(bob, input.ada)]);
  for (const page of [ada, bob]) await until(page, () => window.held.some(([, data]) => String(data).includes("call:initiate")), (sent) => sent);
  await Promise.all(releases.map((release) => release()));
  const both = await Promise.all([ada, bob].map((page) => playing(page)));
  const says = await Promise.all([ada, bob].map((page) => page.locator("#call-state").textContent()));
  await press(ada, "Hang up");
  await over([ada, bob, phone], bob);
  return { played: both, says };
}

/** Eve comes to a call of two, and leaves it again. */
async function three({ ada, bob, eve }) {
  await talk(ada, bob, input.bob);
  await ring(ada, input.eve);
  await press(eve, "Accept");
  const all = await Promise.all([ada, bob, eve].map((page) => playing(page, 2)));
  await press(eve, "Hang up");
  await Promise.all([ada, bob].map((page) => until(page, played, (videos) => videos.length === 1, ".their-video")));
  const two = await Promise.all([ada, bob].map((page) => playing(page)));
  await press(ada, "Hang up");
  await press(bob, "Hang up");
  return { all, two };
}

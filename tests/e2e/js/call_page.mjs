// What a person does with a call in the page, and what can be seen of it.

import { person, until } from "./browser.mjs";

/** In the page, before its scripts: its peer connections can be got at, and its screen is a picture that moves. */
export async function prepareCalls(context) {
  await context.addInitScript(() => {
    window.peers = [];
    window.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(...given) {
        super(...given);
        this.states = [];
        this.addEventListener("signalingstatechange", () => this.states.push(this.signalingState));
        window.peers.push(this);
      }
    };
    if (!navigator.mediaDevices) return;
    navigator.mediaDevices.getDisplayMedia = async () => {
      const canvas = document.createElement("canvas");
      const drawing = canvas.getContext("2d");
      setInterval(() => drawing.fillRect(Math.random() * 300, Math.random() * 150, 9, 9), 50);
      return canvas.captureStream(20);
    };
  });
}

/** Press the button with this name in the call. */
export function press(page, name) {
  return page.locator("#call").getByRole("button", { name, exact: true }).click();
}

/** Press the button that calls somebody. */
export function ring(page, name) {
  return person(page, name).getByRole("button").click();
}

/** Wait until the line over the call says this. */
export function says(page, text) {
  return page.locator("#call-state").filter({ hasText: text }).waitFor();
}

/** Call somebody who accepts, and wait until it plays both ways. */
export async function talk(caller, callee, calleesName) {
  await ring(caller, calleesName);
  await press(callee, "Accept");
  return Promise.all([caller, callee].map((page) => playing(page)));
}

/** Wait for so many pictures to play, each: frames are decoded, and more of them. */
export async function playing(page, videos = 1, which = ".their-video") {
  const first = await until(page, played, (seen) => seen.length === videos && seen.every(({ frames }) => frames > 0), which);
  const more = (seen) => seen.every(({ frames, seconds }, place) => frames > first[place]?.frames + 5 && seconds > first[place].seconds);
  return { first, later: await until(page, played, (seen) => seen.length === videos && more(seen), which) };
}

/** Wait until the call is over on these pages; what one of them is told. */
export async function over(pages, told) {
  for (const page of pages) await page.locator("#call").waitFor({ state: "hidden" });
  await told.locator("#notice:not(:empty)").waitFor();
  return told.locator("#notice").textContent();
}

/** In the page: what has been played of each video. */
export function played(which) {
  return Array.from(document.querySelectorAll(which), (video) => ({
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    seconds: video.currentTime,
  }));
}

/** In the page: its last peer connection. */
export function peer() {
  const connection = window.peers.at(-1);
  const ufrag = (description) => description?.sdp.match(/a=ice-ufrag:(\S+)/)?.[1];
  return {
    state: connection.connectionState,
    signaling: connection.signalingState,
    states: connection.states,
    lines: connection.currentRemoteDescription?.sdp.split("\nm=").length - 1,
    ufrags: [ufrag(connection.localDescription), ufrag(connection.remoteDescription)],
    count: window.peers.length,
  };
}

// What a person does with a call in the page, and what can be seen of it.

import { person, until } from "./browser.mjs";

const STATISTICS_EVERY_MS = 500; // those of eight pages, read without a pause, take half a core

/**
 * As `prepareCalls`, with small drawn pictures in place of the camera, which hardly take drawing, and sound of a media
 * server that arrives but is not played. To draw and to play everything for eight takes more than two cores. And a
 * camera that eight pages show stands still: it has buffers for ten pictures, and each page keeps those that it shows.
 */
export async function prepareCrowd(context) {
  await prepareCalls(context);
  await context.addInitScript(makeSmall);
}

/** In the page. */
function makeSmall() {
  const tiny = new CSSStyleSheet();
  tiny.replaceSync("video { width: 4px !important; height: 3px !important; }");
  document.adoptedStyleSheets = [tiny];
  const add = MediaStream.prototype.addTrack;
  MediaStream.prototype.addTrack = function (track) {
    if (track.kind !== "video" || this.getTracks().includes(track)) return;
    add.call(this, track);
    for (const video of document.querySelectorAll("video")) {
      if (video.srcObject === this) video.srcObject = this; // one that had nothing to play gives up
    }
  };
  const { mediaDevices } = navigator;
  const open = mediaDevices?.getUserMedia.bind(mediaDevices);
  if (!open) return;
  mediaDevices.getUserMedia = async () => {
    const camera = window.drawing(160, 120, 5).getVideoTracks();
    const microphone = await open({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
    return new MediaStream([...microphone.getTracks(), ...camera]);
  };
}

/**
 * In the page, before its scripts: its peer connections can be got at, when pictures of whom are shown is noted, its screen
 * is a picture that moves, and nobody is asked for the camera.
 */
export async function prepareCalls(context) {
  await context.grantPermissions(["camera", "microphone"]);
  await context.addInitScript(noteFrames);
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
    window.drawing = (width, height, framesPerS) => {
      const canvas = Object.assign(document.createElement("canvas"), { width, height });
      const drawing = canvas.getContext("2d");
      setInterval(() => drawing.fillRect(Math.random() * width, Math.random() * height, 9, 9), 1000 / framesPerS);
      return canvas.captureStream(framesPerS);
    };
    if (!navigator.mediaDevices) return;
    navigator.mediaDevices.getDisplayMedia = async () => window.drawing(300, 150, 20);
  });
}

/** In the page: note in `shown` when a new picture of somebody is shown, by what their videos are called. */
function noteFrames() {
  window.shown = {};
  const note = (video) => {
    (window.shown[video.ariaLabel] ??= []).push(performance.now());
    video.requestVideoFrameCallback(() => note(video));
  };
  const observed = new MutationObserver((changes) => {
    for (const video of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
      if (video.className === "their-video") video.requestVideoFrameCallback(() => note(video));
    }
  });
  addEventListener("DOMContentLoaded", () => observed.observe(document.getElementById("call-videos"), { childList: true }));
}

/** In the page: the longest time without a new picture of somebody since `since`, in ms. */
export function longestGap([name, since]) {
  const times = window.shown[name].filter((one) => one >= since);
  return Math.max(...times.slice(1).map((time, place) => time - times[place]));
}

/** In the page: what comes of each stream in all open connections, by the ids of the tracks: frames or octets. */
export async function incoming() {
  const open = window.peers.filter(({ connectionState }) => connectionState === "connected");
  const stats = (await Promise.all(open.map((one) => one.getStats()))).flatMap((one) => [...one.values()]);
  const streams = stats.filter(({ type }) => type === "inbound-rtp");
  return Object.fromEntries(streams.map((one) => [`${one.kind} ${one.trackIdentifier}`, one.framesDecoded ?? one.bytesReceived]));
}

/** Wait until so many pictures and as many sounds come, and each of them goes on. */
export async function hearsAndSees(page, others) {
  const complete = (seen) => Object.values(seen).filter((amount) => amount > 0).length === 2 * others;
  const first = await until(page, incoming, complete, null, STATISTICS_EVERY_MS);
  const goesOn = (seen) => Object.keys(first).every((id) => seen[id] > first[id]);
  return { first, later: await until(page, incoming, goesOn, null, STATISTICS_EVERY_MS) };
}

/** In the page: how many of its peer connections there are. */
export function stillOpen() {
  return window.peers.filter(({ connectionState }) => connectionState !== "closed").length;
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

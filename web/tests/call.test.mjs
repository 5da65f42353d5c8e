// What this device says and hears of a call: to whom it goes on, what it sends, and how it is found again.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { FakePeer, media, tab } from "./peers.mjs";
import { load } from "./sources.mjs";

const { CallClient, HubError } = await load("calls/call_client.ts", "hub_error.ts");

let kept;
let devices = [];
beforeEach(() => (kept = tab()));
afterEach(() => devices.splice(0).forEach(({ calls }) => calls.forEach((call) => call.over(""))));

/** A device of "me" at a hub that answers as a test says. */
class Device {
  asked = [];
  ended = [];
  calls = [];
  opened = [];
  allowed = true;
  ready = false;
  /** Of the call, after the change that was told or acknowledged last. */
  version = 0;
  answers = {};
  listeners = new Map();

  constructor() {
    devices.push(this);
    const hardware = {
      open: async (type) => {
        const opened = type === "video" ? media("audio", "video") : media("audio");
        this.opened.push(opened);
        return opened;
      },
      areAllowed: async () => this.allowed,
      screen: async () => media("video"),
    };
    const watcher = {
      begun: (call) => this.calls.push(call),
      changed: () => {},
      ended: (_call, reason) => this.ended.push(reason),
    };
    this.client = new CallClient(this, "me", hardware, watcher);
  }

  on(event, listener) {
    this.listeners.set(event, listener);
    return () => {};
  }

  onReady(listener) {
    this.becameReady = listener;
  }

  async ask(event, payload) {
    this.asked.push([event, payload]);
    const answer = this.answers[event];
    return typeof answer === "function" ? answer(payload) : (answer ?? { version: ++this.version });
  }

  connect() {
    this.ready = true;
    this.becameReady();
  }

  tell(event, payload) {
    this.version = payload.version ?? this.version;
    this.listeners.get(event)({ callId: "c", ...payload });
  }

  /** The signals of a kind that were sent. */
  signals(type) {
    return this.asked.filter(([event, { signal }]) => event === "call:signal" && signal.type === type).map(([, payload]) => payload);
  }

  events() {
    return this.asked.map(([event]) => event);
  }
}

async function settled() {
  for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** In a call that Bob has made. */
async function talking(type = "audio") {
  const device = new Device();
  device.answers = { "call:accept": { callId: "c", version: 3, gen: 0, engine: "mesh", iceServers: [] } };
  device.tell("call:incoming", { initiator: "bob", type });
  await device.calls[0].accept();
  device.version = 3;
  return device;
}

/** Calls Bob, whom it rings. */
async function ringing() {
  const device = new Device();
  device.answers = {
    "call:initiate": ({ callId }) => ({ callId, state: "ringing", version: 1, type: "video", initiator: "me", iceServers: [] }),
  };
  await device.client.place(["bob"], "video");
  await settled();
  return device;
}

test("who rings somebody has the offer ready, says nothing of it before they answer, and then says it at once", async () => {
  const device = await ringing();
  assert.equal(FakePeer.made.length, 1);
  assert.equal(FakePeer.made[0].localDescription.type, "offer");
  assert.deepEqual(device.signals("offer"), []);
  device.tell("call:accepted", { callId: device.calls[0].id, version: 2, from: "bob", gen: 0 });
  const [offer] = device.signals("offer");
  assert.deepEqual([offer.signal, offer.legTo, offer.seq], [FakePeer.made[0].localDescription, "bob", 1]);
  await settled();
  assert.equal(device.signals("offer").length, 1);
  assert.equal(device.signals("end-of-candidates").length, 1);
});

test("an offer that was made in another network is made again", async () => {
  const device = await ringing();
  device.client.networkChanged();
  assert.equal(FakePeer.made[0].connectionState, "closed");
  device.tell("call:accepted", { callId: device.calls[0].id, version: 2, from: "bob", gen: 0 });
  await settled();
  assert.deepEqual(device.signals("offer").map(({ signal }) => signal), [FakePeer.made[1].localDescription]);
});

test("a call that is not answered leaves no connection behind", async () => {
  const device = await ringing();
  device.tell("call:ended", { callId: device.calls[0].id, reason: "rejected" });
  assert.equal(FakePeer.made[0].connectionState, "closed");
});

for (const allowed of [true, false]) {
  const when = allowed ? "at once where it may be opened" : "after the camera where somebody is asked for it first";
  test(`who accepts says so ${when}`, async () => {
    const device = new Device();
    device.allowed = allowed;
    device.tell("call:incoming", { initiator: "bob", type: "video" });
    let opened = 0;
    device.answers["call:accept"] = () => {
      opened = device.opened.length;
      return { callId: "c", version: 3 };
    };
    await device.calls[0].accept();
    assert.equal(opened, allowed ? 0 : 1);
    assert.ok(device.calls[0].joined);
  });
}

test("a call that could not be accepted for a moment is accepted with the camera that was opened", async () => {
  const device = new Device();
  device.tell("call:incoming", { initiator: "bob", type: "video" });
  device.answers["call:accept"] = () => {
    throw HubError.offline();
  };
  await assert.rejects(device.calls[0].accept());
  device.answers["call:accept"] = { callId: "c", version: 3 };
  await device.calls[0].accept();
  assert.equal(device.opened.length, 1);
  assert.ok(device.calls[0].joined);
});

test("a call that rings when it is over rings no more", async () => {
  const device = new Device();
  device.answers["call:ringing"] = () => {
    throw new HubError("call_ended", "", false);
  };
  device.tell("call:incoming", { initiator: "bob", type: "audio" });
  await settled();
  assert.deepEqual(device.ended, ["call_ended"]);
});

test("who had no answer to accepting asks the hub before it takes the call to be elsewhere", async () => {
  const device = new Device();
  device.tell("call:incoming", { initiator: "bob", type: "audio" });
  device.answers["call:accept"] = () => {
    throw new HubError("unavailable", "", true);
  };
  await assert.rejects(device.calls[0].accept());
  device.answers["call:sync"] = {
    state: "connecting",
    version: 2,
    type: "audio",
    initiator: "bob",
    mine: true,
    members: [{ userId: "bob", state: "joined" }, { userId: "me", state: "joined" }],
    events: [],
    engine: "mesh",
    complete: true,
    seq: 0,
  };
  device.tell("call:cancelled", { reason: "answered_elsewhere", version: 2 });
  await settled();
  assert.deepEqual(device.ended, []);
  assert.ok(device.calls[0].joined);
});

test("who has joined by now does not ring again because an older list of the members comes late", async () => {
  const device = new Device();
  const members = [["bob", "joined"], ["me", "joined"], ["eve", "ringing"]].map(([userId, state]) => ({ userId, state }));
  let answer;
  device.answers = {
    "call:accept": { callId: "c", version: 5, gen: 0, engine: "embedded", iceServers: [] },
    "call:sync": () => new Promise((resolve) => (answer = resolve)),
  };
  device.tell("call:incoming", { version: 4, initiator: "bob", type: "audio", members });
  await device.calls[0].accept();
  await settled();
  device.tell("call:accepted", { version: 6, from: "eve", gen: 0 });
  answer({ state: "active", version: 5, type: "audio", initiator: "bob", mine: true, members, events: [], seq: 0 });
  await settled();
  assert.deepEqual(device.calls[0].others.map(({ userId, state }) => [userId, state]), [["bob", "joined"], ["eve", "joined"]]);
});

test("who ignores a call does not ring any more, and takes nothing from the other devices", async () => {
  const device = new Device();
  device.tell("call:incoming", { initiator: "bob", type: "audio" });
  device.calls[0].ignore();
  assert.deepEqual(device.events(), ["call:ringing", "call:ignore"]);
  assert.deepEqual(device.ended, [""]);
  device.tell("call:incoming", { callId: "d", initiator: "bob", type: "audio" });
  assert.equal(device.calls.length, 2);
});

test("a call that goes on with video sends a picture too, and says so", async () => {
  const device = await talking();
  const [peer] = FakePeer.made;
  await device.calls[0].upgrade();
  assert.deepEqual(device.asked.find(([event]) => event === "call:upgrade")[1], { callId: "c", video: true });
  assert.equal(device.calls[0].type, "video");
  assert.deepEqual(peer.sent.map(({ kind }) => kind), ["audio", "video"]);
  assert.ok(device.opened[0].getTracks()[0].stopped);
  const [, { streams }] = device.asked.find(([event]) => event === "call:media");
  assert.deepEqual(streams, { [device.opened[1].id]: "usermedia" });
});

test("a call that others go on with in video is one of video here, too", async () => {
  const device = await talking();
  device.tell("call:state", { version: 4, kind: "upgraded", from: "bob", type: "video" });
  assert.equal(device.calls[0].type, "video");
});

test("a call that is transferred goes on until the other person has it, and is over here then", async () => {
  const device = await talking();
  device.answers["call:transfer"] = { callId: "c", version: 4 };
  await device.calls[0].transfer("eve");
  assert.deepEqual(device.asked.at(-1), ["call:transfer", { callId: "c", to: "eve" }]);
  assert.equal(FakePeer.made[0].connectionState, "new");
  device.answers["call:sync"] = {
    state: "active",
    version: 6,
    type: "audio",
    initiator: "bob",
    mine: false,
    members: [{ userId: "bob", state: "joined" }, { userId: "eve", state: "joined" }, { userId: "me", state: "left" }],
    events: [],
  };
  device.tell("call:cancelled", { version: 6, reason: "moved" });
  await settled();
  assert.equal(FakePeer.made[0].connectionState, "closed");
  assert.equal(device.ended.length, 1);
});

/** What the hub has of a call between two, which goes on. */
function snapshot(more = {}) {
  const me = { userId: "me", state: "joined", held: true, media: { audioMuted: true, videoMuted: false, screen: true, streams: {} } };
  const members = [{ userId: "bob", state: "joined", gen: 2 }, me];
  const events = [{ version: 5, kind: "signal", from: "bob", gen: 2, signal: { type: "answer", sdp: "of the page before" } }];
  return { state: "active", version: 7, type: "video", initiator: "bob", mine: true, seq: 4, gen: 2, engine: "mesh", complete: true, members, events, ...more };
}

/** A page that is loaded anew, while this is what the hub has. */
async function loadedAnew(found) {
  kept.set("sparkle-call", "c");
  const device = new Device();
  device.answers = { "call:sync": found, "call:restart": { version: 8, gen: 3, iceServers: [] } };
  device.connect();
  await settled();
  return device;
}

test("a page that is loaded anew goes on with its call as it was, under a new generation", async () => {
  const device = await loadedAnew(snapshot());
  const [call] = device.calls;
  assert.ok(call.joined);
  assert.deepEqual([call.outgoing.held, call.outgoing.isMuted("audio"), call.outgoing.isMuted("video")], [true, true, false]);
  assert.deepEqual(device.asked.find(([event]) => event === "call:restart")[1], { callId: "c", gen: 2 });
  const [offer] = device.signals("offer");
  assert.deepEqual([offer.seq, offer.gen, offer.legTo], [5, 3, "bob"]);
  assert.equal(FakePeer.made[0].currentRemoteDescription, null);
  const [, told] = device.asked.find(([event]) => event === "call:media");
  assert.deepEqual([told.audioMuted, told.screen], [true, false]);
});

test("a call that ended meanwhile is not shown, and one that another device took is offered", async () => {
  const over = await loadedAnew(snapshot({ state: "ended" }));
  assert.deepEqual([over.calls, kept.size], [[], 0]);
  const elsewhere = await loadedAnew(snapshot({ mine: false }));
  assert.deepEqual([elsewhere.calls.length, elsewhere.ended], [1, ["moved"]]);
  assert.ok(!elsewhere.events().includes("call:restart"));
});

test("a page that finds the hub away goes on with its call after the next connect", async () => {
  let isAway = true;
  kept.set("sparkle-call", "c");
  const device = new Device();
  device.answers = {
    "call:sync": () => {
      if (!isAway) return snapshot();
      device.ready = false;
      throw HubError.offline();
    },
    "call:restart": { version: 8, gen: 3 },
  };
  device.connect();
  await settled();
  assert.deepEqual(device.calls, []);
  isAway = false;
  device.connect();
  await settled();
  assert.ok(device.calls[0].joined);
});

test("a page that comes from the door, or has hung up, is in no call", async () => {
  const device = await talking();
  assert.equal(kept.get("sparkle-call"), "c");
  await device.calls[0].end();
  assert.equal(kept.size, 0);
});

test("an offer of another peer connection is of a page that was loaded anew, and gets a new one here", async () => {
  const device = await talking();
  const [peer] = FakePeer.made;
  const offer = (certificate) => ({ type: "offer", sdp: `a=fingerprint:sha-256 ${certificate}` });
  device.tell("call:signal", { version: device.version + 1, from: "bob", gen: 0, signal: offer(1001) });
  await settled();
  device.tell("call:signal", { version: device.version + 1, from: "bob", gen: 0, signal: offer(1001) });
  await settled();
  assert.deepEqual(FakePeer.made, [peer]);
  device.tell("call:state", { version: device.version + 1, kind: "restarted", from: "bob", gen: 1 });
  device.tell("call:signal", { version: device.version + 1, from: "bob", gen: 1, signal: offer(1002) });
  await settled();
  assert.equal(peer.connectionState, "closed");
  assert.equal(FakePeer.made[1].currentRemoteDescription.sdp, "a=fingerprint:sha-256 1002");
  assert.equal(device.signals("answer").length, 3);
});

test("who joins a call that the media server has already offers to it, and to nobody else", async () => {
  const device = new Device();
  const members = ["me", "bob", "eve"].map((userId) => ({ userId, state: "joined", gen: 1 }));
  device.answers = { "call:accept": { callId: "c", version: 8, gen: 1, engine: "embedded", members, iceServers: [] } };
  device.tell("call:incoming", { initiator: "bob", type: "audio", members });
  await device.calls[0].accept();
  await settled();
  assert.equal(FakePeer.made.length, 1);
  assert.deepEqual(device.signals("offer").map(({ legTo, gen }) => [legTo, gen]), [["media", 1]]);
});

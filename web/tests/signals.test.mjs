// What becomes of signals between this device and the hub.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { chance, load } from "./sources.mjs";

const { Outbox, HubError } = await load("calls/signals.ts", "hub_error.ts");
const RUNS = 100;

/** A hub that takes signals by their numbers. `fate` says of each attempt what becomes of it. */
class FakeHub {
  ready = true;
  taken = [];
  attempts = [];
  numbers = [];
  fate = () => "answered";

  async ask(_event, { seq, signal, legTo, gen }) {
    await null;
    this.attempts.push(seq);
    const fate = this.fate(seq);
    if (fate instanceof Error) throw fate;
    if (fate === "lost") throw this.gone();
    if (seq > this.taken.length + 1) throw new HubError("signal_gap", "", true, { expectedSeq: this.taken.length + 1 });
    if (seq === this.taken.length + 1) this.taken.push({ signal, legTo, gen });
    if (fate === "unanswered") throw this.gone();
    return { version: seq + 100 };
  }

  gone() {
    this.ready = false;
    return HubError.offline();
  }
}

function outbox(hub, told = []) {
  return new Outbox(hub, "call", 0, {
    generation: () => 3,
    numbered: (version) => hub.numbers.push(version),
    undelivered: (userId, error) => told.push([userId, error.code]),
    refused: () => told.push("refused"),
  });
}

test("signals are numbered from 1 and arrive in order, whatever connections and answers are lost", async () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const [next, hub] = [chance(seed), new FakeHub()];
    hub.fate = () => ["answered", "answered", "lost", "unanswered"][Math.floor(next() * 4)];
    const sender = outbox(hub);
    for (let number = 0; number < 12; number++) {
      sender.send("bob", number);
      if (next() < 0.5) await settled();
    }
    while (hub.taken.length < 12 || !hub.ready) {
      await settled();
      hub.ready = true;
      sender.resume(hub.taken.length);
    }
    assert.deepEqual(hub.taken.map(({ signal }) => signal), [...Array(12).keys()], `seed ${seed}`);
  }
});

test("a signal says whom it is for and which generation it is of, and its version is told", async () => {
  const hub = new FakeHub();
  outbox(hub).send("bob", "offer");
  await settled();
  assert.deepEqual(hub.taken, [{ signal: "offer", legTo: "bob", gen: 3 }]);
  assert.deepEqual(hub.numbers, [101]);
});

test("what the hub takes while a resume is answered is not left out", async () => {
  const hub = new FakeHub();
  const sender = outbox(hub);
  for (const signal of ["one", "two"]) sender.send("bob", signal);
  sender.resume(0); // on a hole in the versions, not on a new connection
  await settled();
  assert.deepEqual(hub.taken.map(({ signal }) => signal), ["one", "two"]);
});

test("a refusal for a time is tried again after that time", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const hub = new FakeHub();
  hub.fate = () => (hub.attempts.length === 1 ? new HubError("rate_limited", "", true, { retryAfter: 7 }) : "answered");
  outbox(hub).send("bob", "offer");
  await settled();
  mock.timers.tick(6_999);
  await settled();
  assert.equal(hub.taken.length, 0);
  mock.timers.tick(1);
  await settled();
  assert.equal(hub.taken.length, 1);
  mock.timers.reset();
});

test("somebody who is gone costs a number, a signal that cannot be sent costs none, and both are told", async () => {
  const [hub, told] = [new FakeHub(), []];
  const sender = outbox(hub, told);
  hub.fate = () => {
    if (hub.attempts.length === 1) return hub.taken.push("gone") && new HubError("leg_gone", "", false);
    return hub.attempts.length === 2 ? new HubError("invalid_payload", "", false) : "answered";
  };
  for (const signal of ["for nobody", "too large", "fits"]) sender.send("bob", signal);
  await settled();
  assert.deepEqual(hub.attempts, [1, 2, 2]);
  assert.deepEqual(told, [["bob", "leg_gone"], ["bob", "invalid_payload"]]);
  assert.equal(hub.taken[1].signal, "fits");
});

test("whoever has no part in the call any more sends nothing more", async () => {
  const [hub, told] = [new FakeHub(), []];
  hub.fate = () => new HubError("answered_elsewhere", "", false);
  const sender = outbox(hub, told);
  for (const signal of ["one", "two"]) sender.send("bob", signal);
  await settled();
  assert.deepEqual([hub.attempts, told], [[1], ["refused"]]);
});

test("what was for somebody who left is not sent, and the numbers stay without a gap", async () => {
  const hub = new FakeHub();
  const sender = outbox(hub);
  for (const [to, signal] of [["bob", 1], ["eve", 2], ["bob", 3], ["eve", 4]]) sender.send(to, signal);
  sender.drop("bob");
  await settled();
  assert.deepEqual(hub.taken.map(({ signal }) => signal), [1, 2, 4]); // the first was on its way
});

/** Everything that waits for no time is done. */
async function settled() {
  for (let turn = 0; turn < 60; turn++) await null;
}

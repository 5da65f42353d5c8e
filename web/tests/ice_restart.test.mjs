// When new paths are looked for.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { load } from "./sources.mjs";

const { IceRestart } = await load("calls/ice_restart.ts");

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

function watched({ patient = false, hubIsThere = true } = {}) {
  const seen = { restarts: 0, over: null, hubIsThere };
  seen.recovery = new IceRestart(
    patient,
    async () => {
      if (!seen.hubIsThere) throw new Error("offline");
      seen.restarts += 1;
    },
    (reason) => (seen.over = reason),
  );
  seen.recovery.begin();
  return seen;
}

async function pass(ms) {
  for (let passed = 0; passed < ms; passed += 500) {
    mock.timers.tick(500);
    for (let turn = 0; turn < 5; turn++) await null;
  }
}

test("a path that breaks is looked for anew at once, one that is away only if it stays away", async () => {
  const seen = watched();
  seen.recovery.changed("connected");
  seen.recovery.changed("disconnected");
  await pass(2_500);
  seen.recovery.changed("connected");
  await pass(60_000);
  assert.equal(seen.restarts, 0);
  seen.recovery.changed("disconnected");
  await pass(3_000);
  assert.equal(seen.restarts, 1);
  seen.recovery.changed("connected");
  seen.recovery.changed("failed");
  await pass(500);
  assert.equal(seen.restarts, 2);
});

test("of the two sides the polite one leaves it to the other first", async () => {
  const seen = watched({ patient: true });
  seen.recovery.changed("connected");
  seen.recovery.changed("failed");
  await pass(1_500);
  seen.recovery.changed("connecting"); // the other has begun
  await pass(7_500);
  assert.equal(seen.restarts, 0);
  seen.recovery.changed("failed");
  await pass(2_000);
  assert.equal(seen.restarts, 1);
});

test("after three tries without a path it is over, and the reason says whether there ever was one", async () => {
  const [never, lost] = [watched(), watched()];
  lost.recovery.changed("connected");
  lost.recovery.changed("failed");
  await pass(60_000);
  assert.deepEqual([never.restarts, never.over], [3, "ice_failed"]);
  assert.deepEqual([lost.restarts, lost.over], [3, "ice_timeout"]);
});

test("a hub that is away costs no try", async () => {
  const seen = watched({ hubIsThere: false });
  seen.recovery.changed("connected");
  seen.recovery.changed("failed");
  await pass(120_000);
  assert.equal(seen.over, null);
  seen.hubIsThere = true;
  seen.recovery.now();
  await pass(500);
  assert.equal(seen.restarts, 1);
});

test("a closed connection is never restarted", async () => {
  const seen = watched();
  seen.recovery.changed("failed");
  seen.recovery.close();
  seen.recovery.now();
  await pass(60_000);
  assert.deepEqual([seen.restarts, seen.over], [0, null]);
});

// How candidates are put together.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { load } from "./sources.mjs";

const { CandidateBatch } = await load("calls/candidates.ts");

const candidate = (name) => ({ candidate: name, toJSON: () => name });

test("the first go out soon and together, later ones by a slower beat, and the end at once", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const sent = [];
  const batch = new CandidateBatch((signal) => sent.push(signal));
  for (const name of ["a", "b"]) batch.add(candidate(name));
  assert.equal(sent.length, 0);
  mock.timers.tick(20);
  batch.add(candidate("c"));
  mock.timers.tick(199);
  assert.equal(sent.length, 1);
  mock.timers.tick(1);
  batch.add(candidate("d"));
  batch.add(null);
  batch.add(candidate("e")); // of the next gathering
  mock.timers.tick(20);
  assert.deepEqual(sent, [
    { type: "candidate", candidates: ["a", "b"] },
    { type: "candidate", candidates: ["c"] },
    { type: "candidate", candidates: ["d"] },
    { type: "end-of-candidates" },
    { type: "candidate", candidates: ["e"] },
  ]);
  mock.timers.reset();
});

test("no batch has more than the hub takes", () => {
  const sent = [];
  const batch = new CandidateBatch((signal) => sent.push(signal));
  for (let number = 0; number < 250; number++) batch.add(candidate(number + 1));
  batch.add(null);
  assert.deepEqual(sent.map(({ candidates }) => candidates?.length), [100, 100, 50, undefined]);
});

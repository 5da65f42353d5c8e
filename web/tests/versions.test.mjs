// The order in which changes of a call are done, and when missing ones are asked for.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { chance, load } from "./sources.mjs";

const { Versions } = await load("calls/versions.ts");
const LAST = 20;
const RUNS = 300;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

/** Changes that note that they were done; `asked` counts the questions. */
function changes(begun = 0) {
  const [versions, done] = [new Versions(), []];
  const seen = { versions, done, asked: 0, told: (version) => versions.take(version, () => done.push(version)) };
  versions.lacking = () => (seen.asked += 1);
  if (begun !== null) versions.begin(begun);
  return seen;
}

const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, place) => from + place);

test("changes are done once and in order, in whatever order and however often they come", () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const [next, { versions, done, told }] = [chance(seed), changes()];
    const coming = [...numbers(1, LAST), ...numbers(1, LAST)].sort(() => next() - 0.5);
    for (const version of coming) if (next() < 0.8) told(version);
    versions.fill(numbers(versions.since + 1, LAST).map((version) => ({ version, act: () => done.push(version) })), LAST);
    assert.deepEqual(done, numbers(1, LAST), `seed ${seed}`);
  }
});

test("in a group they are done as they come, each once, and what was missed when it is read", () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const [next, { versions, done, told }] = [chance(seed), changes()];
    versions.loosen();
    const mine = numbers(1, LAST).filter(() => next() < 0.6); // the others are between other members
    const heard = mine.filter(() => next() < 0.7);
    for (const version of heard) told(version);
    assert.deepEqual(done, heard);
    versions.fill(mine.filter((version) => version > versions.since).map((version) => ({ version, act: () => done.push(version) })), LAST);
    for (const version of mine) told(version);
    assert.deepEqual(done.sort((one, other) => one - other), mine, `seed ${seed}`);
    assert.equal(versions.since, LAST);
  }
});

test("a hole is asked for after a moment, and not if one's own change fills it in time", () => {
  const seen = changes();
  seen.told(2);
  seen.versions.mine(1);
  mock.timers.tick(10_000);
  assert.deepEqual([seen.done, seen.asked], [[2], 0]);
  seen.told(4);
  mock.timers.tick(249);
  assert.deepEqual([seen.done, seen.asked], [[2], 0]);
  mock.timers.tick(1);
  assert.equal(seen.asked, 1);
});

test("what comes before the call has begun here waits, and what is older is dropped", () => {
  const { versions, done, told } = changes(null);
  for (const version of [6, 3, 5]) told(version);
  assert.deepEqual(done, []);
  versions.begin(4);
  assert.deepEqual(done, [5, 6]);
});

test("a group reads the call before the hub forgets what it may have missed", () => {
  const seen = changes();
  seen.versions.loosen();
  for (const version of numbers(2, 101)) seen.told(version);
  mock.timers.tick(10_000);
  assert.equal(seen.asked, 0);
  seen.told(103);
  mock.timers.tick(10_000);
  assert.equal(seen.asked, 1);
});

test("a change that was taken for one's own and is another's is done when it comes, once", () => {
  const { versions, done, told } = changes();
  versions.mine(1);
  versions.mine(2);
  told(3);
  assert.deepEqual(done, [3]);
  for (let time = 0; time < 2; time++) told(2);
  versions.fill([{ version: 1, act: () => done.push(1) }], 3);
  versions.fill([{ version: 1, act: () => done.push(1) }], 3);
  assert.deepEqual(done, [3, 2, 1]);
});

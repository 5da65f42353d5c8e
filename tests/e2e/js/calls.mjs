// A call between two nodes: ringing, accepting, signals both ways in order, hanging up.

import { ask, connect, input, next, ok, report } from "./hub.mjs";

const { nodes, ada, bob } = input;

report(async () => {
  const caller = await connect(nodes[0], ada);
  const callee = await connect(nodes[1], bob);
  const seen = {};

  const incoming = next(callee, "call:incoming");
  seen.placed = await ok(caller, "call:initiate", { to: bob.id, type: "video" });
  seen.incoming = await incoming;
  const { callId } = seen.placed;
  const offer = { type: "offer", sdp: "v=0 offer" };
  seen.tooEarly = await ask(caller, "call:signal", { callId, seq: 1, signal: offer });

  const alerting = next(caller, "call:state");
  await ok(callee, "call:ringing", { callId });
  seen.alerting = await alerting;

  const accepted = next(caller, "call:accepted");
  seen.accept = await ok(callee, "call:accept", { callId });
  seen.accepted = await accepted;

  const received = [];
  callee.on("call:signal", (signal) => received.push(signal));
  const candidates = next(callee, "call:signal", ({ signal }) => signal.type === "end-of-candidates");
  await Promise.all([
    ok(caller, "call:signal", { callId, seq: 1, signal: offer }),
    ok(caller, "call:signal", { callId, seq: 2, signal: { type: "candidate", candidates: [{ candidate: "c", sdpMid: "0" }] } }),
    ok(caller, "call:signal", { callId, seq: 3, signal: { type: "end-of-candidates" } }),
  ]);
  await candidates;
  seen.received = received;
  seen.repeated = await ask(caller, "call:signal", { callId, seq: 3, signal: { type: "end-of-candidates" } });
  seen.gap = await ask(caller, "call:signal", { callId, seq: 7, signal: offer });

  const answer = next(caller, "call:signal");
  await ok(callee, "call:signal", { callId, seq: 1, signal: { type: "answer", sdp: "v=0 answer" } });
  seen.answer = await answer;

  const ended = next(callee, "call:ended");
  seen.hungUp = await ok(caller, "call:hangup", { callId, reason: "user_hangup" });
  seen.ended = await ended;
  return seen;
});

// Two people on two nodes in one room: who is there, messages in order, typing, leaving.

import { ask, connect, input, next, ok, report } from "./hub.mjs";

const { nodes, ada, bob, roomId } = input;
const room = `room:${roomId}`;

report(async () => {
  const here = await connect(nodes[0], ada);
  const there = await connect(nodes[1], bob);
  const seen = {};

  seen.firstJoin = await ok(here, "room:join", { roomId });
  const joined = next(here, "room:member");
  seen.secondJoin = await ok(there, "room:join", { roomId });
  seen.member = await joined;

  const received = [];
  const last = next(there, "room:message", ({ body }) => body.number === 9);
  there.on("room:message", (message) => received.push(message));
  const sent = Array.from({ length: 10 }, (_, number) =>
    ok(here, "room:send", { roomId, clientId: `c${number}`, body: { number } }),
  );
  seen.sent = await Promise.all(sent);
  await last;
  seen.repeated = await ok(here, "room:send", { roomId, clientId: "c9", body: { number: 9 } });
  const volatile = next(there, "room:message", ({ body }) => body === "passing");
  seen.volatileAck = await ok(here, "room:send", { roomId, clientId: "v", body: "passing", volatile: true });
  await volatile;
  seen.received = received;

  const typing = next(there, "typing:update");
  await ok(here, "typing:start", { room });
  seen.typing = await typing;
  const stopped = next(there, "typing:update", ({ typing }) => !typing);
  await ok(here, "typing:stop", { room });
  seen.stopped = await stopped;

  seen.left = await ok(there, "room:leave", { roomId });
  seen.sendAfterLeaving = await ask(there, "room:send", { roomId, clientId: "late", body: 1 });
  return seen;
});

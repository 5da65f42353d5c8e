// What is answered to events: data, errors with the path of the field, and hub:error where no answer was asked for.

import { ask, connect, input, next, report } from "./hub.mjs";

const UNKNOWN_ROOM = "00000000-0000-7000-8000-000000000000";

report(async () => {
  const socket = await connect(input.nodes[0], input.ada);
  const failed = next(socket, "hub:error");
  socket.emit("presence:update", { status: "sleeping" });
  return {
    bareString: await ask(socket, "presence:update", "away"),
    object: await ask(socket, "presence:update", { status: "busy", text: "at work" }),
    unknownEvent: await ask(socket, "no:such", {}),
    wrongValue: await ask(socket, "presence:update", { status: "sleeping" }),
    wrongTwice: await ask(socket, "room:send", { roomId: 7, volatile: "no" }),
    unknownField: await ask(socket, "presence:update", { status: "online", mood: "fine" }),
    withoutPayload: await ask(socket, "presence:watch"),
    noSuchRoom: await ask(socket, "room:join", { roomId: UNKNOWN_ROOM }),
    afterAll: await ask(socket, "presence:get", { userIds: [] }),
    withoutAck: await failed,
  };
});

// A client is lost in the middle of a conversation, comes back to the other node, and has missed nothing.

import msgpack from "socket.io-msgpack-parser";
import { connect, input, next, ok, report } from "./hub.mjs";

const { nodes, ada, bob, roomId, way, loss } = input;
const WAYS = {
  websocket: { transports: ["websocket"] },
  polling: { transports: ["polling"], upgrade: false },
  upgraded: { transports: ["polling", "websocket"] },
  msgpack: { path: "/socket.io-msgpack/", parser: msgpack },
};
const AGAIN = { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 400 };

report(async () => {
  const speaker = await connect(nodes[1], bob);
  const listener = await connect(nodes[0], ada, { ...WAYS[way], ...AGAIN });
  await ok(speaker, "room:join", { roomId });
  await ok(listener, "room:join", { roomId });

  const heard = [];
  const heardUpTo = (number) => next(listener, "room:message", ({ body }) => body >= number);
  listener.on("room:message", ({ body }) => heard.push(body));
  const before = { id: listener.id, recovered: listener.recovered, node: listener.ready.nodeId };

  let said = 0;
  let over = false;
  const speaking = (async () => {
    while (!over) await ok(speaker, "room:send", { roomId, clientId: `c${said}`, body: said++ });
  })();
  await heardUpTo(5);

  listener.io.uri = nodes[1]; // where it goes when it comes again
  const back = next(listener, "session:ready");
  if (loss === "link") listener.io.engine.close();
  else listener.emit("presence:update", "away"); // tells pytest to end the node, perhaps before the answer is here
  const ready = await back;
  const after = { id: listener.id, recovered: listener.recovered, ready };

  await heardUpTo(said + 5);
  over = true;
  await speaking;
  if (heard.at(-1) < said - 1) await heardUpTo(said - 1);
  return { before, after, heard, said };
});

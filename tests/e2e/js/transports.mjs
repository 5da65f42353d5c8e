// The other ways in: long-polling, long-polling that becomes a WebSocket (what the client does by itself), msgpack.

import msgpack from "socket.io-msgpack-parser";
import { ask, connect, input, next, ok, open, report } from "./hub.mjs";

const { nodes, ada, bob } = input;
const [url] = nodes;

report(async () => ({
  polling: await exchange({ transports: ["polling"], upgrade: false }),
  upgraded: await upgrade(),
  msgpack: await exchange({ path: "/socket.io-msgpack/", parser: msgpack }),
  refusedOnMsgpack: await refusedOnMsgpack(),
}));

/** A change told from a JSON WebSocket client on the other node reaches this one, whatever it speaks. */
async function exchange(options) {
  const socket = await connect(url, ada, options);
  const other = await connect(nodes[1], bob);
  await ok(socket, "presence:watch", { userIds: [bob.id] });
  const text = `seen over ${socket.io.engine.transport.name} ${Math.random()}`;
  const diff = next(socket, "presence:diff", ({ users }) => users[0].text === text);
  await ok(other, "presence:update", { status: "away", text });
  const { users } = await diff;
  const seen = { transport: socket.io.engine.transport.name, ready: socket.ready, status: users[0].status };
  seen.unknownEvent = await ask(socket, "no:such");
  socket.disconnect();
  other.disconnect();
  return seen;
}

/** Default options: what is sent while the transport changes is answered once and in order. */
async function upgrade() {
  const socket = open(url, { token: ada.token }, { transports: ["polling", "websocket"] });
  const opened = new Promise((resolve) => socket.io.once("open", resolve));
  await opened;
  const before = socket.io.engine.transport.name;
  const upgraded = new Promise((resolve) => socket.io.engine.once("upgrade", resolve));
  const statuses = ["online", "away", "busy", "dnd"];
  const versions = [];
  const answers = Array.from({ length: 40 }, async (_, number) => {
    versions.push((await ok(socket, "presence:update", statuses[number % 4])).version);
  });
  await Promise.all([upgraded, ...answers]);
  return {
    before,
    after: socket.io.engine.transport.name,
    answered: versions.length,
    inOrder: versions.every((version, index) => index === 0 || version > versions[index - 1]),
  };
}

async function refusedOnMsgpack() {
  const socket = await connect(url, ada, { path: "/socket.io-msgpack/", parser: msgpack });
  return ask(socket, "presence:update", { status: "sleeping" });
}

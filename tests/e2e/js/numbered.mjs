// Unmodified clients that join a room while numbered broadcasts go out, by every transport and both parsers: what did
// each of them see?

import msgpack from "socket.io-msgpack-parser";
import { io } from "socket.io-client";

const { port, count, clients: wanted } = JSON.parse(process.argv[2]);
const END_MS = 60_000;
const TRANSPORTS = { upgrading: ["polling", "websocket"], polling: ["polling"], websocket: ["websocket"] };
const PARSERS = { json: { path: "/socket.io/" }, msgpack: { path: "/socket.io-msgpack/", parser: msgpack } };

function join(mode, parser) {
  const seen = { mode, parser, first: null, numbers: [], polled: 0, acknowledged: 0, asked: 0, wrong: [] };
  const socket = io(`http://127.0.0.1:${port}`, {
    ...PARSERS[parser],
    transports: TRANSPORTS[mode],
    forceNew: true,
    reconnection: false,
  });
  seen.done = new Promise((resolve) => {
    socket.on("end", resolve);
    setTimeout(resolve, END_MS);
  });
  socket.on("joined", (number) => {
    if (seen.numbers.length) seen.wrong.push("a number before the join");
    seen.first = number;
  });
  socket.on("number", (number, bytes) => {
    seen.numbers.push(number);
    if (socket.io.engine.transport.name === "polling") seen.polled += 1;
    if (number % 10 === 0 && bytes?.byteLength !== 400) seen.wrong.push(`bytes of ${number}`);
    if (number % 5 === 0) {
      const question = seen.asked++;
      socket.emit("echo", question, (answer) => {
        seen.acknowledged += 1;
        if (answer !== question) seen.wrong.push(`${answer} for ${question}`);
      });
    }
  });
  socket.on("disconnect", (reason) => seen.wrong.push(`disconnect: ${reason}`));
  socket.on("connect_error", (error) => seen.wrong.push(`connect_error: ${error.message}`));
  return { socket, seen };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const first = join("websocket", "json");
await new Promise((resolve) => first.socket.on("connect", resolve));
first.socket.emit("start", count);
const all = [first];
for (const [mode, parser] of wanted) {
  all.push(join(mode, parser));
  await pause((count / wanted.length) * 0.7);
}
await Promise.all(all.map(({ seen }) => seen.done));
const asked = () => all.some(({ seen }) => seen.acknowledged < seen.asked);
for (const end = Date.now() + END_MS / 6; asked() && Date.now() < end; ) await pause(20);
const report = all.map(({ socket, seen }) => {
  const { done, ...rest } = seen;
  return { ...rest, endedAs: socket.io.engine?.transport?.name };
});
process.stdout.write(JSON.stringify(report), () => process.exit(0)); // a pipe takes 64 KB at a time

// A Socket.IO server of Node with @socket.io/redis-adapter, and a client of it that says what it is sent.

import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const { redis, count } = JSON.parse(process.argv[2]);
const [publisher, subscriber] = await Promise.all([createClient(redis).connect(), createClient(redis).connect()]);
const http = createServer();
const server = new Server(http, { adapter: createAdapter(publisher, subscriber) });
server.on("connection", (socket) => {
  socket.join("room");
  socket.emit("joined");
});
await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));

const heard = [];
const socket = io(`http://127.0.0.1:${http.address().port}`, { transports: ["websocket"] });
socket.on("joined", () => console.error("ready")); // tells pytest to emit
socket.onAny((name, ...values) => {
  if (name === "joined") return;
  heard.push([name, ...values.map((value) => (Buffer.isBuffer(value) ? [...value] : value))]);
  if (heard.length === count) {
    console.log(JSON.stringify(heard));
    process.exit();
  }
});

// Socket.IO on Node.js as its users run it, with the application that the load generator knows.
//
//   node server.mjs PORT               one process, over ws
//   node server.mjs PORT REDIS_URL     the same with the Redis adapter; redis://… or unix:///path
//   node server.mjs PORT REDIS_URL streams
//                                      with the Redis Streams adapter, and connection state recovery
import { createServer } from "node:http";
import { Server } from "socket.io";

const [port, redisUrl, kind] = process.argv.slice(2);
const BACKLOG = 4096; // the default of 511 would make mass connects wait for the clients' TCP retries

const http = createServer();
const RECOVERY = { maxDisconnectionDuration: 120_000 }; // ms, as its documentation has it
const io = new Server(http, { serveClient: false, ...(kind === "streams" && { connectionStateRecovery: RECOVERY }) });

if (redisUrl) {
  const { createClient } = await import("redis");
  const { protocol, pathname } = new URL(redisUrl);
  const publisher = createClient(protocol === "unix:" ? { socket: { path: pathname } } : { url: redisUrl });
  await publisher.connect();
  if (kind === "streams") {
    const { createAdapter } = await import("@socket.io/redis-streams-adapter");
    io.adapter(createAdapter(publisher));
  } else {
    const { createAdapter } = await import("@socket.io/redis-adapter");
    const subscriber = publisher.duplicate();
    await subscriber.connect();
    io.adapter(createAdapter(publisher, subscriber));
  }
}

io.on("connection", (socket) => {
  socket.on("join", async (room, acknowledge) => {
    await socket.join(room);
    acknowledge?.();
  });
  socket.on("bc", (room, body) => io.to(room).emit("m", body));
  socket.on("echo", (body, acknowledge) => acknowledge?.(body));
});

http.listen(Number(port), "127.0.0.1", BACKLOG, () => console.log("listening"));

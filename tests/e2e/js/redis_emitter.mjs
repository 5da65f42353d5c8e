// A program of Node pushes into the hub with @socket.io/redis-emitter, unmodified; clients are on two nodes.

import { Emitter } from "@socket.io/redis-emitter";
import msgpack from "socket.io-msgpack-parser";
import { createClient } from "redis";
import { connect, input, next, ok, report } from "./hub.mjs";

const { nodes, ada, bob, roomId, redis } = input;
const room = `room:${roomId}`;

report(async () => {
  const client = await createClient(redis).connect();
  const emitter = new Emitter(client);
  const here = await connect(nodes[0], ada);
  const there = await connect(nodes[1], bob, { path: "/socket.io-msgpack/", parser: msgpack });
  const everybody = [here, there];
  await Promise.all(everybody.map((socket) => ok(socket, "room:join", { roomId })));
  const heard = everybody.map(() => []);
  everybody.forEach((socket, index) => socket.onAny((name, ...values) => heard[index].push([name, ...values])));
  const said = {};

  /** What both (or those given) get of the next such event, with all its arguments. */
  const both = async (event, act, who = everybody) => {
    const waiting = who.map((socket) => new Promise((resolve) => socket.once(event, (...values) => resolve(values))));
    act();
    return Promise.all(waiting);
  };
  said.toRoom = await both("news", () => emitter.to(room).emit("news", { at: new Date(0) }, undefined, [1, "two"]));
  said.toAll = await both("all", () => emitter.emit("all", 1));
  said.binary = (await both("bytes", () => emitter.to(room).emit("bytes", { data: Buffer.from([0, 255]) }))).map(([value]) => [
    ...new Uint8Array(value.data),
  ]);
  said.volatile = await both("passing", () => emitter.volatile.to(room).emit("passing", {}));
  const lastBefore = here._lastOffset;
  said.text = await both("text", () => emitter.to(room).emit("text", "world"));
  said.offset = { before: lastBefore ?? null, after: here._lastOffset };
  said.except = await both("some", () => emitter.to(room).except(`user:${bob.id}`).emit("some", 1), [here]);
  said.toUser = await both("one", () => emitter.to(`user:${bob.id}`).emit("one", 1), [there]);

  emitter.in(room).socketsJoin("room:other");
  // What is published next comes after it, but joining takes a while: until it has come once.
  const joined = both("other", () => {}, everybody);
  const trying = setInterval(() => emitter.to("room:other").emit("other", 1), 50);
  said.joined = await joined;
  clearInterval(trying);
  const gone = next(there, "disconnect");
  emitter.in(`user:${bob.id}`).disconnectSockets(true);
  said.disconnected = await gone;
  emitter.serverSideEmit("for servers", 1);
  emitter.of("/elsewhere").emit("other namespace", 1);
  await client.publish("socket.io#/#", "no MessagePack");
  await client.publish("socket.io-request#/#", "{");
  said.after = await both("all", () => emitter.emit("all", 2), [here]);

  said.strays = heard.map((events) => events.map(([name]) => name).filter((name) => ["some", "one"].includes(name)));
  await client.close();
  return said;
});

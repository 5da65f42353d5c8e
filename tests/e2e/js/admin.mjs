// The page of the Socket.IO Admin UI, in what it sends and listens to: the unmodified client, in its namespace.

import msgpack from "socket.io-msgpack-parser";

import { input, next, open, refusal, report } from "./hub.mjs";

const URL = input.url;
const LOGIN = input.login;
const FIND_MS = 15_000;

/** The admin's connection, by the transports that the page uses, and the events that it was told, in their order. */
async function signIn(auth, options = {}) {
  const admin = open(`${URL}/admin`, auth, { transports: ["polling", "websocket"], ...options });
  const told = [];
  admin.onAny((event, ...args) => told.push([event, ...args]));
  const connected = next(admin, "connect");
  admin.once("connect_error", (error) => connected.fail(error));
  await connected;
  return { admin, told };
}

/** The first event that fits, told or still to be told. */
async function find({ admin, told }, event, fits = () => true) {
  const wanted = (one) => one[0] === event && fits(...one.slice(1));
  const found = told.find(wanted);
  return found ?? new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no fitting ${event}; told was ${JSON.stringify(told)}`)), FIND_MS);
    const listener = (...one) => {
      if (!wanted(one)) return;
      clearTimeout(timer);
      admin.offAny(listener);
      resolve(one);
    };
    admin.onAny(listener);
  });
}

async function watch(page) {
  const { admin } = page;
  const client = open(URL, {}, { transports: ["polling", "websocket"] });
  const news = next(client, "said");
  await next(client, "connect");
  const { id } = client; // which it has no more once it is disconnected
  const is = (namespace, one) => namespace === "/" && one === id;
  const connected = await find(page, "socket_connected", (shown) => shown.id === id);
  const updated = await find(page, "socket_updated", (shown) => shown.id === id);
  client.emit("say", { n: 1 });
  const received = await find(page, "event_received", is);
  const sent = await find(page, "event_sent", is);
  await news;

  const order = next(client, "order");
  admin.emit("emit", "/", id, "order", 7);
  admin.emit("join", "/", "lobby", id);
  const joined = await find(page, "room_joined", (namespace, room, one) => room === "lobby" && is(namespace, one));
  admin.emit("leave", "/", "lobby", id);
  const left = await find(page, "room_left", (namespace, room, one) => room === "lobby" && is(namespace, one));
  const ended = next(client, "disconnect");
  admin.emit("_disconnect", "/", true, id);
  const disconnected = await find(page, "socket_disconnected", is);
  return {
    id,
    connected: connected[1],
    updated: updated[1],
    received: received.slice(1),
    sent: sent.slice(1),
    order: await order,
    joined: joined.slice(1),
    left: left.slice(1),
    disconnected: disconnected.slice(1),
    ended: await ended,
  };
}

report(async () => {
  const refused = await refusal(open(`${URL}/admin`, { ...LOGIN, password: "wrong" }));
  const page = await signIn(LOGIN);
  const [, session] = await find(page, "session");
  const [, config] = await find(page, "config");
  const [, sockets] = await find(page, "all_sockets");
  const [, stats] = await find(page, "server_stats", (one) => one.aggregatedEvents.length > 0);
  const again = await signIn({ sessionId: session });
  const packed = await signIn(LOGIN, { path: "/socket.io-msgpack", parser: msgpack, transports: ["websocket"] });
  return {
    refused: refused.message,
    config,
    sockets,
    stats,
    watched: await watch(page),
    again: (await find(again, "config"))[1],
    packed: await watch(packed),
  };
});

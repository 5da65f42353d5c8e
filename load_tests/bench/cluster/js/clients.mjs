// Unmodified socket.io-client, many of it, by every transport and both parsers: each enters and leaves rooms, speaks,
// and writes down what it sees. The records are those of load_tests/bench/cluster/history.py.
//
// Commands, a line of JSON each on standard input; each is answered by a line:
//   {"do": "talk", "perSecond": 20, "churn": 0.25}   speak from now on; so likely enters or leaves a room each second
//   {"do": "burst", "count": 100, "bytes": 12000}    everybody in one room sends, at once, so much in all
//   {"do": "calm"}                                   no more of that
//   {"do": "last"}                                   one message from everybody in every room
//   {"do": "state"}                                  is anything still under way?
//   {"do": "end"}                                    write the end, and exit

import { createWriteStream, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import msgpack from "socket.io-msgpack-parser";

const given = JSON.parse(readFileSync(process.argv[2]));
const { urls, tokens, rooms, history, seed } = given;

const ANSWER_MS = 5_000;
const AGAIN_MS = 200;
const MOST_UNDER_WAY = 4; // messages of one client without an answer
const KINDS = given.kinds ?? ["websocket", "polling", "upgrading", "websocket msgpack", "upgrading msgpack", "websocket"];
const OPTIONS = {
  websocket: { transports: ["websocket"] },
  polling: { transports: ["polling"] },
  upgrading: { transports: ["polling", "websocket"] },
  "websocket msgpack": { transports: ["websocket"], path: "/socket.io-msgpack/", parser: msgpack },
  "upgrading msgpack": { transports: ["polling", "websocket"], path: "/socket.io-msgpack/", parser: msgpack },
};

const out = createWriteStream(history, { flags: "a" });
const now = () => Number(process.hrtime.bigint()) / 1e6; // CLOCK_MONOTONIC, as time.monotonic() of Python
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let lastSeen = now();
let state = seed >>> 0;

// mulberry32: small, and the same everywhere
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const choose = (list) => list[Math.floor(random() * list.length)];

class Client {
  constructor(number) {
    this.number = number;
    this.wanted = new Set();
    this.inside = new Set();
    this.life = 0; // counts up whenever the client is told that its rooms are gone
    this.sent = 0;
    this.underWay = 0;
    this.asking = null; // the room whose join or leave is not acknowledged yet
    const token = tokens[number];
    this.socket = io(urls[number % urls.length], {
      ...OPTIONS[KINDS[number % KINDS.length]],
      auth: { token },
      forceNew: true,
      reconnectionDelay: 100,
      reconnectionDelayMax: 500,
      timeout: 4_000,
    });
    this.listen();
  }

  write(k, more) {
    lastSeen = now();
    out.write(`${JSON.stringify({ k, t: lastSeen, c: this.number, ...more })}\n`);
  }

  listen() {
    const { socket } = this;
    socket.on("connect", () => {
      const recovered = socket.recovered === true;
      this.write("connect", { recovered, sid: socket.id });
      if (!recovered) {
        this.life += 1;
        this.inside.clear();
        this.asking = null;
      }
      this.settle();
    });
    socket.on("disconnect", (reason) => this.write("disconnect", { reason }));
    socket.on("connect_error", (error) => {
      this.write("failed", { why: error.message });
      // A refusal by the hub ends the reconnecting of this client; its user would try again.
      if (!socket.active) setTimeout(() => socket.connect(), 500);
    });
    socket.io.on("reconnect_attempt", () => this.write("attempt"));
    socket.on("session:ready", ({ nodeId }) => this.write("ready", { node: nodeId }));
    socket.on("room:message", ({ roomId, seq, body }) => {
      if (seq !== undefined) this.write("got", { room: roomId, id: body.id, seq });
    });
  }

  /** Make the rooms that it is in those that it wants to be in. What has no answer is asked again, until it has one. */
  async settle() {
    if (this.settling) return;
    this.settling = true;
    while (this.socket.connected) {
      const room = this.asking?.room ?? rooms.find((one) => this.wanted.has(one) !== this.inside.has(one));
      if (room === undefined) break;
      this.asking ??= { room, enters: this.wanted.has(room) };
      await this.ask(this.asking, this.life);
    }
    this.settling = false;
  }

  async ask({ room, enters }, life) {
    this.write(enters ? "joining" : "leaving", { room });
    if (!enters) this.inside.delete(room);
    const event = enters ? "room:join" : "room:leave";
    let answer;
    try {
      answer = await this.socket.timeout(ANSWER_MS).emitWithAck(event, { roomId: room });
    } catch {
      answer = null; // no answer in time, or the connection went
    }
    if (life !== this.life) return; // told meanwhile: everything begins anew
    if (answer?.ok) {
      this.write(enters ? "joined" : "left", { room });
      if (enters) this.inside.add(room);
      this.asking = null;
    } else {
      if (answer) this.write("refused", { event, room, code: answer.error.code });
      await pause(AGAIN_MS);
    }
  }

  async send(room, filling) {
    this.underWay += 1;
    this.sent += 1;
    const id = `${this.number}-${this.sent}`;
    try {
      while (!(await this.sendOnce(room, id, filling))) await pause(AGAIN_MS);
    } finally {
      this.underWay -= 1;
    }
  }

  /** Whether it is done: acknowledged, refused for good, or of no use, since the client wants to be elsewhere. */
  async sendOnce(room, id, filling) {
    if (!this.wanted.has(room)) return true;
    if (!this.socket.connected || !this.inside.has(room)) return false;
    const { life } = this;
    this.write("send", { room, id });
    const body = filling ? { id, filling } : { id };
    let answer;
    try {
      answer = await this.socket.timeout(ANSWER_MS).emitWithAck("room:send", { roomId: room, clientId: id, body });
    } catch {
      return false;
    }
    if (answer.ok) {
      this.write("ack", { room, id, seq: answer.data.seq });
      return true;
    }
    if (life !== this.life) return false;
    this.write("refused", { event: "room:send", room, code: answer.error.code });
    return !answer.error.temporary; // the checker has a word for a member who is refused as none
  }

  change() {
    const room = choose(rooms);
    if (!this.wanted.has(room)) this.wanted.add(room);
    else if (this.wanted.size > 1) this.wanted.delete(room);
    this.settle();
  }

  get isStill() {
    const { socket, wanted, inside } = this;
    return socket.connected && !this.underWay && !this.asking && wanted.size === inside.size;
  }
}

const clients = tokens.map((_, number) => new Client(number));
clients.forEach((client) => {
  const wanted = Math.min(given.roomsEach ?? 3, rooms.length);
  while (client.wanted.size < wanted) client.wanted.add(choose(rooms));
});
setInterval(() => clients.forEach((client) => client.settle()), 500);

let timers = [];

function talk(perSecond, churn) {
  const speak = () => {
    const client = choose(clients);
    const there = [...client.inside];
    if (there.length && client.socket.connected && client.underWay < MOST_UNDER_WAY) client.send(choose(there));
  };
  timers.push(setInterval(speak, 1000 / perSecond));
  timers.push(setInterval(() => clients.forEach((client) => random() < churn && client.change()), 1000));
}

function burst(count, bytes) {
  const room = choose(rooms);
  const there = clients.filter((client) => client.inside.has(room) && client.socket.connected);
  for (let sent = 0; there.length && sent < count; sent += 1) there[sent % there.length].send(room, "x".repeat(bytes));
  return { senders: there.length };
}

const commands = {
  talk: ({ perSecond, churn }) => talk(perSecond, churn),
  burst: ({ count, bytes }) => burst(count, bytes),
  calm: () => {
    timers.forEach(clearInterval);
    timers = [];
  },
  last: () => clients.forEach((client) => client.inside.forEach((room) => client.send(room))),
  state: () => ({
    still: clients.filter((client) => client.isStill).length,
    quietMs: now() - lastSeen,
    connected: clients.filter((client) => client.socket.connected).length,
  }),
};

function end() {
  clients.forEach((client) => client.write("end", { connected: client.socket.connected }));
  out.end(() => process.exit());
}

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const command = JSON.parse(line);
  if (command.do === "end") return end();
  const answer = commands[command.do](command) ?? {};
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
lines.on("close", () => out.end(() => process.exit(1))); // whoever gave commands has gone

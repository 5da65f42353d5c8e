// People who type into documents by unmodified clients of npm, and write down what was acknowledged to them.
//
// Given: {writers: [{number, kind, document, token, documentToken, deletes}], ports, ledger, perSecond, seed}.
// The ledger gets a line for each acknowledged change, {d: document, k: kind, c: client id, e: clock past it, s: text}, written
// before anything else happens: this process may be killed at any moment, and what it has written is then held against
// the hub. Commands, a line each on standard input: "calm" ends the typing, "state" is answered with a line.

import { openSync, readFileSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";

const given = JSON.parse(readFileSync(process.argv[2]));
const ledger = openSync(given.ledger, "a");
const KINDS = Object.fromEntries(
  await Promise.all(
    [...new Set(given.writers.map(({ kind }) => kind))].map(async (kind) => [kind, await import(`./kind_${kind}.mjs`)]),
  ),
);
const ANSWER_MS = 4_000; // without an answer for so long a client connects anew, and sends what the hub lacks
const LONG_TEXT = 400; // where letters are deleted, texts are kept at about this length
const choose = (list) => list[Math.floor(Math.random() * list.length)];
let typing = true;

class Writer {
  constructor(given) {
    Object.assign(this, given);
    this.doc = new Y.Doc();
    this.awareness = new Awareness(this.doc);
    this.text = this.doc.getText("text");
    this.pending = []; // {end, text, since}: made, and not acknowledged
    this.acknowledged = 0;
    this.connection = null;
    this.isUp = false;
    this.made = 0;
    this.connect();
    setTimeout(() => this.type(), Math.random() * 1_000);
  }

  connect() {
    const port = choose(given.ports);
    const life = Symbol("life");
    this.life = life;
    const ifCurrent = (act) => (...more) => this.life === life && act(...more);
    this.since = Date.now();
    this.connection = KINDS[this.kind].connect(this, port, {
      up: ifCurrent(() => (this.isUp = true)),
      down: ifCurrent(() => this.again()),
      stored: ifCurrent((end) => this.stored(end)),
    });
  }

  again() {
    this.isUp = false;
    this.life = null;
    const { connection } = this;
    this.connection = null;
    connection?.close();
    setTimeout(() => this.connect(), 50 + Math.random() * 200);
  }

  /** Everything of this client below a clock is stored. */
  stored(end) {
    const done = this.pending.filter((one) => one.end <= end);
    if (done.length === 0) return;
    const lines = done.map(({ end, text }) => JSON.stringify({ d: this.document, k: this.kind, c: this.doc.clientID, e: end, s: text }));
    writeSync(ledger, `${lines.join("\n")}\n`);
    this.acknowledged += done.length;
    this.pending = this.pending.filter((one) => one.end > end);
  }

  /** The clock past all that this client has made. */
  get end() {
    return Y.getState(this.doc.store, this.doc.clientID);
  }

  type() {
    if (!typing) return;
    setTimeout(() => this.type(), (-Math.log(1 - Math.random()) * 1_000) / given.perSecond);
    const waits = this.pending.length > 0 && Date.now() - this.pending[0].since > ANSWER_MS;
    if (this.connection && Date.now() - this.since > ANSWER_MS && (waits || !this.isUp)) this.again();
    if (!this.isUp && !KINDS[this.kind].typesOffline) return;
    // Into the middle of what others wrote, so that all of it depends on all of it.
    const { text, deletes } = this;
    const whole = text.toString();
    if (deletes && whole.length > LONG_TEXT && Math.random() < 0.4) {
      text.delete(Math.floor(Math.random() * (whole.length - 20)), 12);
      return; // has no clock: nobody can tell whether it is stored
    }
    this.made += 1;
    const mark = `<${this.number}.${this.doc.clientID}.${this.made}>`;
    const at = whole.indexOf(">", Math.floor(Math.random() * whole.length)) + 1;
    const before = this.end;
    this.doc.transact(() => {
      this.pending.push({ end: before + mark.length, text: deletes ? null : mark, since: Date.now() });
      text.insert(at, mark);
    });
  }
}

const writers = given.writers.map((one) => new Writer(one));

function state() {
  const waiting = writers.filter(({ pending, isUp }) => pending.length > 0 || !isUp);
  for (const writer of waiting) if (writer.connection && Date.now() - writer.since > ANSWER_MS) writer.again();
  const texts = writers.map(({ document, text }) => [document, text.toString()]);
  return {
    waiting: waiting.length,
    acknowledged: writers.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
    texts: waiting.length === 0 && !typing ? texts : [],
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line === "calm") typing = false;
  else console.log(JSON.stringify(state()));
}
process.exit();

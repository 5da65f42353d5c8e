// What the scripts share: reading their input, connecting, waiting for events with a deadline, the one report.

import { io } from "socket.io-client";

// Long: for the tests that end a node, its successor has to start.
const ANSWER_MS = 30_000;

/** What pytest passed: `{nodes: [url, url], ada: {id, token}, …}`. */
export const input = JSON.parse(process.argv[2]);

/** A connection of its own to one node, not yet ready. The client is the one from npm, with nothing changed. */
export function open(url, auth, options = {}) {
  const socket = io(url, { auth, transports: ["websocket"], forceNew: true, reconnection: false, ...options });
  opened.push(socket);
  return socket;
}

/** A connection that may begin: `session:ready` has come and is its `ready`. */
export async function connect(url, person, options = {}) {
  const socket = open(url, { token: person.token }, options);
  const ready = next(socket, "session:ready");
  socket.once("connect_error", (error) => ready.fail(error));
  socket.ready = await ready;
  return socket;
}

/** The payload of the next such event for which `fits` holds. Ask before causing it. */
export function next(socket, event, fits = () => true) {
  let fail;
  const promise = new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(new Error(`no ${event} within ${ANSWER_MS} ms`)), ANSWER_MS);
    const listener = (payload) => {
      if (!fits(payload)) return;
      settle();
      resolve(payload);
    };
    const settle = () => {
      clearTimeout(timer);
      socket.off(event, listener);
    };
    fail = (error) => {
      settle();
      reject(error);
    };
    socket.on(event, listener);
  });
  return Object.assign(promise, { fail });
}

/** The acknowledgement of an event, as it stands. */
export function ask(socket, event, ...payload) {
  return socket.timeout(ANSWER_MS).emitWithAck(event, ...payload);
}

/** The data of an acknowledgement that must be `ok`. */
export async function ok(socket, event, ...payload) {
  const answer = await ask(socket, event, ...payload);
  if (!answer.ok) throw new Error(`${event}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

/** Why a connection was refused: the message, and the `data` that the hub added. */
export function refusal(socket) {
  return next(socket, "connect_error").then((error) => ({
    message: error.message,
    data: error.data ?? null,
    status: statusIn(error),
  }));
}

/**
 * Run the script's subject, print what it returns as JSON, close every connection. Then end, whatever is still open:
 * the last long poll of a client that has disconnected is left waiting, and Node would wait with it.
 */
export async function report(subject) {
  try {
    console.log(JSON.stringify(await subject()));
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
  for (const socket of opened) socket.disconnect();
  setImmediate(() => process.exit());
}

const opened = [];

/** The HTTP status of a failed transport. XMLHttpRequest has it as a number, ws only in the text of its error. */
function statusIn(error) {
  if (typeof error.description === "number") return error.description;
  const text = error.description?.message ?? "";
  return Number(text.match(/server response: (\d+)/)?.[1]) || null;
}

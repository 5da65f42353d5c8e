// `collab:*` events by socket.io-client: each change has an acknowledgement of its own. The hub takes none with a gap, so
// that of a change is good for all that its client made before.

import { io } from "socket.io-client";
import * as Y from "yjs";
import { endOf } from "./end_of.mjs";

const ANSWER_MS = 4_000;

export const typesOffline = true;

export function connect({ doc, token, documentId }, port, { up, down, stored }) {
  const options = { auth: { token }, transports: ["websocket"], forceNew: true, reconnection: false, timeout: ANSWER_MS };
  const socket = io(`http://127.0.0.1:${port}`, options);

  async function ask(event, payload) {
    const answer = await socket.timeout(ANSWER_MS).emitWithAck(event, payload);
    if (!answer.ok && answer.error.code !== "update_gap") throw new Error(answer.error.code);
    return answer;
  }

  async function send(update) {
    const end = endOf(update, doc.clientID);
    const answer = await ask("collab:change", { documentId, update });
    if (answer.ok) stored(end);
    else await bring(new Uint8Array(answer.error.stateVector));
  }

  /** All that the hub lacks. */
  async function bring(vector) {
    const end = endOf(Y.encodeStateAsUpdate(doc), doc.clientID);
    const answer = await ask("collab:change", { documentId, update: Y.encodeStateAsUpdate(doc, vector) });
    if (!answer.ok) throw new Error("a gap twice");
    stored(end);
  }

  async function join() {
    const { data } = await ask("collab:join", { documentId, stateVector: Y.encodeStateVector(doc) });
    Y.applyUpdate(doc, new Uint8Array(data.update), socket);
    doc.on("update", changed); // from here on each change goes by itself; what was made before goes now
    await bring(new Uint8Array(data.stateVector));
    up();
  }

  const changed = (update, origin) => origin === socket || send(update).catch(down);
  socket.on("connect_error", down);
  socket.on("disconnect", down);
  socket.on("collab:update", (event) => {
    if (event.documentId === documentId) Y.applyUpdate(doc, new Uint8Array(event.update), socket);
  });
  socket.on("session:ready", () => join().catch(down));
  return {
    close() {
      doc.off("update", changed);
      socket.removeAllListeners();
      socket.disconnect();
    },
  };
}

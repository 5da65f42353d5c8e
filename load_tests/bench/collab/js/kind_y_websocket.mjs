// WebsocketProvider of y-websocket: the hub sends a client's own changes back once they are stored, and to who comes
// back it says first what it has stored already.

import * as decoding from "lib0/decoding";
import { WebsocketProvider } from "y-websocket";
import WebSocket from "ws";
import * as Y from "yjs";
import { endOf } from "./end_of.mjs";

export const typesOffline = true;

const SYNC = 0;
const STEP_1 = 0;
const UPDATE = 2;

export function connect({ doc, awareness, documentId, documentToken }, port, { up, down, stored }) {
  const provider = new WebsocketProvider(`ws://127.0.0.1:${port}/collab`, documentId, doc, {
    params: { token: documentToken },
    WebSocketPolyfill: WebSocket,
    awareness,
    disableBc: true,
  });
  const handle = provider.messageHandlers[SYNC];
  provider.messageHandlers[SYNC] = (encoder, decoder, ...more) => {
    const own = decoding.createDecoder(decoder.arr.subarray(decoder.pos));
    const kind = decoding.readVarUint(own);
    const content = decoding.readVarUint8Array(own);
    if (kind === UPDATE) stored(endOf(content, doc.clientID));
    if (kind === STEP_1) stored(Y.decodeStateVector(content).get(doc.clientID) ?? 0);
    return handle(encoder, decoder, ...more);
  };
  provider.on("sync", (synced) => synced && up());
  provider.on("connection-close", down);
  provider.on("connection-error", down);
  return {
    close() {
      provider.destroy();
    },
  };
}

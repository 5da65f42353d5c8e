// WebsocketProvider of y-websocket: the hub sends a client's own changes back once they are stored.

import * as decoding from "lib0/decoding";
import { WebsocketProvider } from "y-websocket";
import WebSocket from "ws";
import { endOf } from "./end_of.mjs";

const SYNC = 0;
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
    if (decoding.readVarUint(own) === UPDATE) {
      const end = endOf(decoding.readVarUint8Array(own), doc.clientID);
      if (end > 0) stored(end);
    }
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

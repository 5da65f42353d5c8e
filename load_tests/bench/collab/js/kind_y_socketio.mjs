// SocketIOProvider of y-socket.io: its protocol acknowledges nothing, but the hub says what it has stored whenever the
// client asks for what it lacks, which the provider does by itself every `resyncInterval`.

import { SocketIOProvider } from "y-socket.io";
import * as Y from "yjs";

const ASK_MS = 1_000;

export const typesOffline = true;

export function connect({ doc, documentId, documentToken }, port, { up, down, stored }) {
  const options = { auth: { token: documentToken }, disableBc: true, resyncInterval: ASK_MS };
  // Tried once: whoever it is for connects anew, perhaps to another node.
  const provider = new SocketIOProvider(`http://127.0.0.1:${port}`, documentId, doc, options, { reconnection: false });
  provider.socket.on("sync-step-1", (vector) => stored(Y.decodeStateVector(new Uint8Array(vector)).get(doc.clientID) ?? 0));
  provider.on("sync", (synced) => synced && up());
  provider.on("connection-close", down);
  provider.on("connection-error", down);
  return {
    close() {
      provider.destroy();
      provider.socket.disconnect(); // also one that is still connecting, which the provider leaves alone
    },
  };
}

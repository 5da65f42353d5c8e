// HocuspocusProvider: what it says of itself, `hasUnsyncedChanges`, is taken for an acknowledgement.

import { HocuspocusProvider, HocuspocusProviderWebsocket } from "@hocuspocus/provider";
import WebSocket from "ws";

export function connect(writer, port, { up, down, stored }) {
  const { doc, awareness, documentId, documentToken } = writer;
  const websocketProvider = new HocuspocusProviderWebsocket({
    url: `ws://127.0.0.1:${port}/collab`,
    WebSocketPolyfill: WebSocket,
    maxAttempts: 1,
    onClose: down,
  });
  const provider = new HocuspocusProvider({
    websocketProvider,
    name: documentId,
    document: doc,
    awareness,
    token: documentToken,
    onSynced: up,
    onAuthenticationFailed: down,
    onUnsyncedChanges: ({ number }) => {
      if (number === 0 && provider.synced) stored(writer.end);
    },
  });
  provider.attach();
  return {
    close() {
      provider.destroy();
      websocketProvider.destroy();
    },
  };
}

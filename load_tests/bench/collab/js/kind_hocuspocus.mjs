// HocuspocusProvider: what it says of itself, `hasUnsyncedChanges`, is taken for an acknowledgement.
//
// It counts changes and confirmations. What is typed while it connects it sends without having counted it, so that it is
// a confirmation ahead afterwards, and says that all is stored when all but one are (4.8.0). So nobody types meanwhile.

export const typesOffline = false;

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

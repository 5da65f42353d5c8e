// An unmodified Yjs provider from npm, driven by lines of JSON: {"write": text}, {"state": true}, {"leave": true}.
// Each line is answered by one with the state of the editor.

import * as Y from "yjs";
import readline from "node:readline";
import WebSocket from "ws";
import { HocuspocusProvider } from "@hocuspocus/provider";
import { WebsocketProvider } from "y-websocket";
import { SocketIOProvider } from "y-socket.io";

const { kind, url, documentId, token, name } = JSON.parse(process.argv[2]);
const doc = new Y.Doc();
const text = doc.getText("text");
const seen = { synced: false, status: null, access: null, refused: null, closed: [], denied: 0 };
const socketUrl = url.replace(/^http/, "ws");
const provider = { "y-websocket": yWebsocket, hocuspocus, "y-socket.io": ySocketIO }[kind]();

function yWebsocket() {
  console.warn = () => (seen.denied += 1);
  const made = new WebsocketProvider(`${socketUrl}/collab`, documentId, doc, {
    params: { token },
    WebSocketPolyfill: WebSocket,
    disableBc: true,
  });
  made.on("sync", (synced) => (seen.synced = synced));
  made.on("status", ({ status }) => (seen.status = status));
  made.on("connection-close", (event) => seen.closed.push(event?.code ?? null));
  return made;
}

function hocuspocus() {
  return new HocuspocusProvider({
    url: `${socketUrl}/collab`,
    name: documentId,
    document: doc,
    token,
    WebSocketPolyfill: WebSocket,
    delay: 100,
    minDelay: 100,
    onSynced: ({ state }) => (seen.synced = state),
    onStatus: ({ status }) => (seen.status = status),
    onAuthenticated: ({ scope }) => (seen.access = scope),
    onAuthenticationFailed: ({ reason }) => (seen.refused = reason),
    onClose: ({ event }) => seen.closed.push(event.code),
  });
}

function ySocketIO() {
  const made = new SocketIOProvider(url, documentId, doc, { auth: { token }, disableBc: true });
  made.on("sync", (synced) => (seen.synced = synced));
  made.on("status", ({ status }) => (seen.status = status));
  made.on("connection-error", ({ message }) => (seen.refused = message));
  made.on("connection-close", (reason) => seen.closed.push(reason));
  return made;
}

provider.awareness.setLocalStateField("user", { name });

function state() {
  const here = [...provider.awareness.getStates().values()].map((one) => one.user?.name).filter(Boolean);
  const unsynced = kind === "hocuspocus" ? provider.unsyncedChanges : null;
  return { ...seen, text: text.toString(), length: text.length, here: here.sort(), unsynced };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.write) text.insert(text.length, command.write);
  if (command.leave) provider.destroy();
  console.log(JSON.stringify(state()));
  if (command.leave) break;
}
setTimeout(() => process.exit(), 200);

// Who may connect, and what those who may not are told.

import { connect, input, open, refusal, report } from "./hub.mjs";

const [url] = input.nodes;
const foreign = { extraHeaders: { Origin: "https://evil.example" } };

report(async () => ({
  withoutAuth: await refusal(open(url)),
  wrongToken: await refusal(open(url, { token: "x.y.z" })),
  wrongTicket: await refusal(open(url, { ticket: "spent" })),
  wrongShape: await refusal(open(url, { token: 5 })),
  foreignOriginWebSocket: await refusal(open(url, { token: input.ada.token }, foreign)),
  foreignOriginPolling: await refusal(open(url, { token: input.ada.token }, { ...foreign, transports: ["polling"] })),
  ready: (await connect(url, input.ada)).ready,
  freshAuthEachTime: await authAsFunction(),
}));

/** Clients give `auth` as a function, so that each reconnect brings a fresh ticket. */
async function authAsFunction() {
  const calls = [];
  const auth = (give) => {
    calls.push("asked");
    give({ token: input.ada.token });
  };
  const socket = open(url, auth, { reconnection: true, reconnectionDelay: 10 });
  await new Promise((resolve) => socket.once("session:ready", resolve));
  const again = new Promise((resolve) => socket.once("session:ready", resolve));
  socket.io.engine.close(); // as if the network had gone
  await again;
  return calls.length;
}

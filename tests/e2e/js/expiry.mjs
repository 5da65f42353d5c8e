// A token runs out under two clients: one that knows nothing of it, and one that refreshes.

import { connect, input, next, ok, report } from "./hub.mjs";

const { nodes, ada, bob, transport } = input;

/** The next tokens of a person. */
async function refreshed(person) {
  const body = JSON.stringify({ refreshToken: person.refreshToken });
  const headers = { "Content-Type": "application/json" };
  const answer = await (await fetch(`${nodes[0]}/api/v1/auth/refresh`, { method: "POST", headers, body })).json();
  return Object.assign(person, { token: answer.accessToken, refreshToken: answer.refreshToken });
}

report(async () => {
  const options = { transports: [transport], reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 200 };
  const unaware = await connect(nodes[0], ada, {
    ...options,
    auth: (give) => void refreshed(ada).then(({ token }) => give({ token })),
  });
  const aware = await connect(nodes[0], bob, options);
  const lost = [];
  aware.on("disconnect", (reason) => lost.push(reason));
  const refreshes = [];
  const goOn = async () => ok(aware, "auth:refresh", { token: (await refreshed(bob)).token });
  aware.on("session:expiring", () => refreshes.push(goOn()));

  const expiring = next(unaware, "session:expiring");
  const disconnected = next(unaware, "disconnect");
  const isBack = next(unaware, "session:ready");
  const told = await expiring;
  const reason = await disconnected;
  const { connectionId } = await isBack;
  await next(aware, "session:expiring"); // of its second token, or a later one
  await Promise.all(refreshes);
  return { told, reason, before: unaware.ready, after: connectionId, lost };
});

// Somebody's presence as a watcher on another node sees it.

import { connect, input, next, ok, report } from "./hub.mjs";

const { nodes, ada, bob } = input;
const of = (status) => ({ users }) => users.some((one) => one.userId === bob.id && one.status === status);

report(async () => {
  const watcher = await connect(nodes[0], ada);
  const snapshot = await ok(watcher, "presence:watch", { userIds: [bob.id] });

  const online = next(watcher, "presence:diff", of("online"));
  const watched = await connect(nodes[1], bob, { auth: { token: bob.token, device: "phone" } });
  const seen = { snapshot, online: await online };

  const busy = next(watcher, "presence:diff", of("dnd"));
  seen.own = await ok(watched, "presence:update", { status: "dnd", text: "in a meeting" });
  seen.busy = await busy;

  const invisible = next(watcher, "presence:diff", of("offline"));
  seen.ownInvisible = await ok(watched, "presence:update", "invisible");
  seen.invisible = await invisible;
  seen.read = await ok(watcher, "presence:get", { userIds: [bob.id] });
  return seen;
});

// A node asks its clients to go, and stops: whatever their transport, they come back by themselves.

import { connect, input, next, ok, report } from "./hub.mjs";

const { nodes, ada, transport } = input;

report(async () => {
  const options = { transports: [transport], reconnection: true, reconnectionDelay: 200, reconnectionDelayMax: 400 };
  const socket = await connect(nodes[0], ada, options);
  const announced = [];
  socket.on("hub:draining", (payload) => announced.push(payload));
  const disconnected = next(socket, "disconnect");
  const isBack = next(socket, "session:ready");
  await ok(socket, "presence:update", "away"); // tells pytest to end the node
  return { announced, reason: await disconnected, before: socket.ready.nodeId, after: (await isBack).nodeId };
});

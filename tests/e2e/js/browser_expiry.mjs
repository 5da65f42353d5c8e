// A page outlives its tokens on one connection.

import { browse, signUp } from "./browser.mjs";
import { input } from "./hub.mjs";

const REFRESHES = 3;

browse(async (open) => {
  const page = await open(input.nodes[0]);
  const answered = new Promise((resolve) => {
    let left = REFRESHES;
    page.on("websocket", (socket) => {
      const asked = new Set();
      socket.on("framesent", ({ payload }) => asked.add(/^42(\d+)\["auth:refresh"/.exec(payload)?.[1]));
      socket.on("framereceived", ({ payload }) => {
        const [, id, answer] = /^43(\d+)(\[.*)/.exec(payload) ?? [];
        if (id !== undefined && asked.has(id) && JSON.parse(answer)[0].ok && --left === 0) resolve();
      });
    });
  });
  await signUp(page, input.ada);
  await answered;
  return { sockets: await page.evaluate(() => window.sockets.length) };
});

// Three people in a video room of Janus, in one page: what each gets of the others. Without a hub.

import { createServer } from "node:http";
import { chromium } from "playwright-core";
import { script } from "../../../web/tests/sources.mjs";

const { browser: address, way, room } = JSON.parse(process.argv[2]);
const client = await script("JanusClient", "calls/janus_room.ts");
const server = createServer((_, response) => response.end("<!doctype html>")); // a camera is given to an origin only
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const browser = await chromium.connect(address);
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}`);
  await page.addScriptTag({ content: client });
  console.log(JSON.stringify(await page.evaluate(meet, { way, room })));
} finally {
  await browser.close();
  server.close();
}

/** In the page. */
async function meet({ way, room }) {
  const members = {};

  const line = (who) => ({ ready: true, ask: async () => way[who] });
  const join = async (who) => {
    const camera = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 160, height: 120, frameRate: 10 } });
    const relay = new JanusClient.JanusRoom(line(who), room, who, {}, () => {});
    const send = (...more) => relay.send([camera, ...more].flatMap((stream) => stream.getTracks().map((track) => ({ track, stream }))), true);
    send();
    members[who] = { relay, send };
  };
  const gets = (who) => members[who].relay.labelled.map(({ trackId }) => trackId).sort();
  const shows = ({ receiver }) => receiver.track.kind === "audio" || receiver.getSynchronizationSources().length > 0;
  const until = async (fits) => {
    for (const end = Date.now() + 30_000; !fits(); ) {
      if (Date.now() > end) throw new Error(JSON.stringify(Object.keys(members).map(gets)));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return Object.fromEntries(Object.keys(members).map((who) => [who, gets(who)]));
  };
  const have = (counts) => () =>
    Object.entries(counts).every(([who, count]) => gets(who).length === count && members[who].relay.labelled.every(shows));

  const seen = {};
  await Promise.all(["ada", "bob", "eve"].map(join));
  seen.three = await until(have({ ada: 4, bob: 4, eve: 4 }));
  const screen = document.createElement("canvas");
  const drawing = screen.getContext("2d");
  setInterval(() => drawing.fillRect(Math.random() * 300, Math.random() * 150, 9, 9), 50);
  const shown = screen.captureStream(20);
  members.bob.send(shown);
  seen.screen = await until(have({ ada: 5, eve: 5 }));
  seen.section = members.bob.relay.section(shown.getTracks()[0]);
  members.bob.send();
  seen.without = await until(have({ ada: 4, eve: 4 }));
  members.eve.relay.close();
  await join("eve");
  seen.again = await until(have({ ada: 4, bob: 4, eve: 4 }));
  members.bob.relay.close();
  delete members.bob;
  seen.two = await until(have({ ada: 2, eve: 2 }));
  return seen;
}

// How a media server's answer says whose each section is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./sources.mjs";

const { labels } = await load("calls/labels.ts");

test("each section that has somebody's stream says whose, and the others nothing", () => {
  const sdp = [
    "v=0\r\na=msid-semantic:WMS *\r\n",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=msid:bob bob/1\r\n",
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=msid:eve eve/4\r\na=mid:a2\r\n",
    "m=video 0 UDP/TLS/RTP/SAVPF 0\r\na=inactive\r\na=mid:3\r\n",
  ].join("");
  assert.deepEqual(Object.fromEntries(labels(sdp)), {
    0: { userId: "bob", trackId: "bob/1" },
    a2: { userId: "eve", trackId: "eve/4" },
  });
});

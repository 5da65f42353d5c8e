// What npm's Yjs makes of documents in both encodings: `documents` are [update v1, the hub's v2 of it], in base64.

import * as Y from "yjs";

const { documents } = JSON.parse(process.argv[2]);
const bytes = (text) => Buffer.from(text, "base64");
const text = (data) => Buffer.from(data).toString("base64");

const report = documents.map(([v1, v2]) => {
  const one = new Y.Doc();
  const other = new Y.Doc();
  Y.applyUpdate(one, bytes(v1));
  Y.applyUpdateV2(other, bytes(v2));
  const state = Y.encodeStateAsUpdate(one);
  return {
    same: Buffer.compare(state, Y.encodeStateAsUpdate(other)) === 0,
    v1: text(state),
    v2: text(Y.encodeStateAsUpdateV2(one)),
  };
});
console.log(JSON.stringify(report));

// Reads documents, each made of the updates that are stored, with a fresh Y.Doc, and looks for what was acknowledged:
// [{updates: [base64], marks: [text], clocks: {client: clock}}] → [{text, missing: [text or client]}].

import { readFileSync } from "node:fs";
import * as Y from "yjs";

const documents = JSON.parse(readFileSync(process.argv[2]));
const found = documents.map(({ updates, marks, clocks }) => {
  const doc = new Y.Doc();
  for (const update of updates) Y.applyUpdate(doc, Buffer.from(update, "base64"));
  const text = doc.getText("text").toString();
  const missing = marks.filter((mark) => !text.includes(mark));
  for (const [client, clock] of Object.entries(clocks)) {
    const has = Y.getState(doc.store, Number(client));
    if (has < clock) missing.push(`${clock - has} units of client ${client}`);
  }
  if (doc.store.pendingStructs || doc.store.pendingDs) missing.push("what others build on");
  return { text, missing };
});
console.log(JSON.stringify(found));

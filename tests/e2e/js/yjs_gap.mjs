// An update whose predecessors never arrived is refused; the difference to the hub's state heals it.

import * as Y from "yjs";
import { connect, input, report } from "./hub.mjs";
import { SharedDocument } from "./yjs_document.mjs";

const { nodes, ada, bob, documentId } = input;

report(async () => {
  const reader = new SharedDocument(await connect(nodes[1], bob), documentId);
  await reader.join();
  const writer = new SharedDocument(await connect(nodes[0], ada), documentId);
  await writer.join();

  const offline = new Y.Doc();
  const updates = [];
  offline.on("update", (update) => updates.push(update));
  for (const word of ["one ", "two ", "three"]) offline.getText("text").insert(offline.getText("text").length, word);

  const refused = await writer.change(updates[2]);
  const stateVector = new Uint8Array(refused.error?.stateVector ?? []);
  const healed = await writer.change(Y.encodeStateAsUpdate(offline, stateVector));
  await reader.until(({ text }) => text.toString().includes("three"));
  const again = await writer.change(updates[0]); // known by now: harmless
  return { refused: { ...refused.error, stateVector: stateVector.length }, healed, again, read: reader.contents() };
});

// Two people on two nodes write one document at the same time; a third, in Python, writes with them.

import * as Y from "yjs";
import { connect, input, report } from "./hub.mjs";
import { SharedDocument } from "./yjs_document.mjs";

const { nodes, ada, bob, documentId, marks } = input;
const ROUNDS = 30;

report(async () => {
  const writers = [
    new SharedDocument(await connect(nodes[0], ada), documentId),
    new SharedDocument(await connect(nodes[1], bob), documentId),
  ];
  const joined = await Promise.all(writers.map((writer) => writer.join()));
  await Promise.all(writers.map((writer, number) => write(writer, number)));
  const isComplete = ({ text }) => marks.every((mark) => text.toString().includes(mark));
  await Promise.all(writers.map((writer) => writer.until(isComplete)));
  const stored = await Promise.all(writers.map((writer) => writer.stored()));

  const newcomer = new SharedDocument(await connect(nodes[0], bob), documentId);
  await newcomer.join();
  return {
    access: joined.map(({ access }) => access),
    stored,
    contents: [...writers, newcomer].map((writer) => writer.contents()),
  };
});

/** Insertions everywhere, deletions, surrogate pairs, marks, rich text; a turn of the event loop between two. */
async function write({ doc, text, rich }, number) {
  for (let round = 0; round < ROUNDS; round += 1) {
    doc.transact(() => {
      text.insert(round % 2 ? 0 : text.length, `${number}:${round} 👩‍🚀 `);
      if (round % 5 === 4) text.format(0, 3, { bold: true });
      if (round % 9 === 8) text.delete(0, 1);
    });
    if (round % 7 === 6) {
      const paragraph = new Y.XmlElement("paragraph");
      paragraph.insert(0, [new Y.XmlText(`from ${number}: 😀`)]);
      rich.push([paragraph]);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  text.insert(text.length, marks[number]);
}

// A Y.Doc that lives in the hub: joins, sends what it changes, takes what others change. As a client would write it.

import * as Y from "yjs";
import { ask, ok } from "./hub.mjs";

export class SharedDocument {
  constructor(socket, documentId) {
    this.socket = socket;
    this.documentId = documentId;
    this.doc = new Y.Doc();
    this.text = this.doc.getText("text");
    this.rich = this.doc.getXmlFragment("prosemirror");
    this.sent = [];
    socket.on("collab:update", ({ documentId, update }) => {
      if (documentId === this.documentId) Y.applyUpdate(this.doc, new Uint8Array(update), this);
    });
    this.doc.on("update", (update, origin) => {
      if (origin !== this) this.sent.push(ok(socket, "collab:change", { documentId, update }));
    });
  }

  async join() {
    const { documentId, doc } = this;
    const joined = await ok(this.socket, "collab:join", { documentId, stateVector: Y.encodeStateVector(doc) });
    Y.applyUpdate(doc, new Uint8Array(joined.update), this);
    return joined;
  }

  /** Everything sent so far is stored. Gives how many changes that were. */
  async stored() {
    return (await Promise.all(this.sent)).length;
  }

  /** Send an update as it stands, and give the whole answer. */
  change(update) {
    return ask(this.socket, "collab:change", { documentId: this.documentId, update });
  }

  /** Resolves when the document fits; the deadline is pytest's. */
  until(fits) {
    return new Promise((resolve) => {
      const look = () => fits(this) && (this.doc.off("update", look), resolve());
      this.doc.on("update", look);
      look();
    });
  }

  contents() {
    return { text: this.text.toString(), rich: this.rich.toString() };
  }
}

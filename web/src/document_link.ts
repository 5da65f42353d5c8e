// One Yjs document and the hub's copy of it: what is typed goes there, what others type comes here, and after whatever
// broke the two are brought together again by their state vectors.

import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate } from "y-protocols/awareness";
import * as Y from "yjs";
import type { Hub } from "./hub";
import { HubError } from "./hub_error";

const PAUSE_MS = 1_000;
/** Of one change. The hub takes messages of a megabyte and closes the connection over longer ones, again and again. */
const MOST_BYTES = 900_000;

/**
 * `saved`: everything typed here is committed in the hub's database. `saving`: not yet. `read`: there is nothing to save,
 * this person may only read. `offline`: what is typed waits here. `refused`: the hub will not take it.
 */
export type Standing = "opening" | "saved" | "saving" | "read" | "offline" | "refused";

interface Joined {
  access: "write" | "read";
  update: ArrayBuffer;
  stateVector: ArrayBuffer;
}

interface Told {
  documentId: string;
  update: ArrayBuffer;
}

interface AwarenessChange {
  added: number[];
  updated: number[];
}

export class DocumentLink {
  readonly doc = new Y.Doc();
  readonly awareness = new Awareness(this.doc);
  standing: Standing = "opening";
  /** Called when `standing` changes; `reason` is the hub's, for `refused`. */
  changed: (standing: Standing, reason: string) => void = () => {};

  private joined = false;
  private closed = false;
  private flushing = false;
  private access: "write" | "read" = "read";
  private unsaved: Uint8Array[] = [];
  private readonly stops: (() => void)[];

  constructor(
    private readonly hub: Hub,
    readonly documentId: string,
  ) {
    this.doc.on("update", (update, origin) => origin === this || this.edited(update));
    this.awareness.on("update", (change: AwarenessChange, origin: unknown) => this.announce(change, origin));
    this.stops = [
      hub.on<Told>("collab:update", (told) => this.heard(told)),
      hub.on<Told>("collab:awareness", (told) => this.heardOfOthers(told)),
      hub.onLost(() => this.lost()),
      hub.onReady(() => void this.join()),
    ];
  }

  /** Whether something typed here is not committed yet. */
  get hasUnsaved(): boolean {
    return this.unsaved.length > 0;
  }

  close(): void {
    if (this.joined) void this.hub.ask("collab:leave", { documentId: this.documentId }).catch(() => {});
    this.joined = false;
    this.closed = true;
    for (const stop of this.stops) stop();
    this.awareness.destroy();
    this.doc.destroy();
  }

  /** Get what the hub has and this copy lacks, then send what this copy has and the hub lacks. */
  private async join(): Promise<void> {
    const stateVector = Y.encodeStateVector(this.doc);
    let joined: Joined;
    try {
      joined = await this.hub.ask<Joined>("collab:join", { documentId: this.documentId, stateVector });
    } catch (error) {
      return this.notJoined(error);
    }
    if (this.closed) return;
    Y.applyUpdate(this.doc, new Uint8Array(joined.update), this);
    this.access = joined.access;
    this.joined = true;
    if (this.hasUnsaved) this.unsaved = [this.lackedBy(joined.stateVector)];
    if (this.access === "read" && this.hasUnsaved) return this.tell("refused", "You may read this document, not change it.");
    // Twice: the hub told the others that we are gone under the next number, and they only believe a higher one.
    for (let time = 0; time < 2; time++) this.awareness.setLocalState(this.awareness.getLocalState());
    this.tell(this.access === "read" ? "read" : this.hasUnsaved ? "saving" : "saved");
    await this.flush();
  }

  private async notJoined(error: unknown): Promise<void> {
    if (this.closed || !(error instanceof HubError)) return;
    if (!error.temporary) return this.tell("refused", error.message);
    if (!this.hub.ready) return; // joined with the next connection
    await pause(error);
    if (this.hub.ready && !this.joined && !this.closed) await this.join();
  }

  private edited(update: Uint8Array): void {
    this.unsaved.push(update);
    if (!this.joined) return;
    this.tell("saving");
    void this.flush();
  }

  /** Send what was typed, one change at a time: what is typed during a commit goes together into the next. */
  private async flush(): Promise<void> {
    if (this.flushing) return;
    this.flushing = true;
    while (this.joined && this.access === "write" && this.hasUnsaved) {
      const sent = this.batch();
      const update = Y.mergeUpdates(sent);
      if (update.byteLength > MOST_BYTES) {
        this.refused(`More than ${MOST_BYTES / 1000} KB at once.`);
        break;
      }
      try {
        await this.hub.ask("collab:change", { documentId: this.documentId, update });
        this.unsaved = this.unsaved.filter((one) => !sent.includes(one));
      } catch (error) {
        await this.recover(error);
      }
    }
    this.flushing = false;
    if (this.joined && this.standing === "saving") this.tell("saved");
  }

  /** The oldest unsaved changes that go together into one message; at least one. */
  private batch(): Uint8Array[] {
    let bytes = 0;
    const fitting = this.unsaved.findIndex((update) => (bytes += update.byteLength) > MOST_BYTES);
    return fitting < 0 ? [...this.unsaved] : this.unsaved.slice(0, Math.max(fitting, 1));
  }

  private async recover(error: unknown): Promise<void> {
    if (!(error instanceof HubError)) throw error;
    if (error.code === "update_gap") {
      this.unsaved = [this.lackedBy(error.details.stateVector as ArrayBuffer)];
    } else if (error.code === "not_joined" || error.code === "forbidden") {
      this.joined = false; // put out, or with another role: joining again tells
      void this.join();
    } else if (!error.temporary) {
      this.refused(error.message);
    } else if (this.hub.ready) {
      await pause(error);
    }
  }

  private refused(reason: string): void {
    this.joined = false;
    this.tell("refused", reason);
  }

  private lackedBy(stateVector: ArrayBuffer): Uint8Array {
    return Y.encodeStateAsUpdate(this.doc, new Uint8Array(stateVector));
  }

  private heard({ documentId, update }: Told): void {
    if (documentId === this.documentId) Y.applyUpdate(this.doc, new Uint8Array(update), this);
  }

  private heardOfOthers({ documentId, update }: Told): void {
    if (documentId === this.documentId) applyAwarenessUpdate(this.awareness, new Uint8Array(update), this);
  }

  private announce({ added, updated }: AwarenessChange, origin: unknown): void {
    const mine = [...added, ...updated].includes(this.doc.clientID);
    // Whoever comes new has not heard of those on other nodes: tell them that we are here.
    const newcomer = origin === this && added.length > 0;
    if (!this.joined || !(mine || newcomer)) return;
    const update = encodeAwarenessUpdate(this.awareness, [this.doc.clientID]);
    this.hub.ask("collab:awareness", { documentId: this.documentId, update }).catch(() => {}); // the next one will do
  }

  private lost(): void {
    this.joined = false;
    if (!this.closed && this.standing !== "refused") this.tell("offline");
  }

  private tell(standing: Standing, reason = ""): void {
    if (this.closed) return;
    this.standing = standing;
    this.changed(standing, reason);
  }
}

function pause(error: HubError): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, error.retryAfterMs ?? PAUSE_MS));
}

// Candidates on their way out: together where they are found together, and at the end that there are no more.

import type { Signal } from "./wire";

const FIRST_MS = 20; // a machine's own addresses are found within these
const NEXT_MS = 200; // those that servers tell come one by one; each batch is an event for the hub
const MOST_AT_ONCE = 100; // the hub takes no more

export class CandidateBatch {
  private found: RTCIceCandidateInit[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isFirst = true;

  constructor(private readonly send: (signal: Signal) => void) {}

  /** Take what `icecandidate` gives. Null, or an empty one, is the end of a gathering; another may follow. */
  add(candidate: RTCIceCandidate | null): void {
    if (!candidate?.candidate) return this.end();
    this.found.push(candidate.toJSON());
    if (this.found.length >= MOST_AT_ONCE) return this.flush();
    this.timer ??= setTimeout(() => this.flush(), this.isFirst ? FIRST_MS : NEXT_MS);
  }

  close(): void {
    clearTimeout(this.timer);
    this.found = [];
  }

  private end(): void {
    this.flush();
    this.isFirst = true;
    this.send({ type: "end-of-candidates" });
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.isFirst = false;
    const candidates = this.found.splice(0);
    if (candidates.length) this.send({ type: "candidate", candidates });
  }
}

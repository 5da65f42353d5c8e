// Signals to the others: numbered, one after the other, repeated until the hub has them, also after a reconnect.

import { HubError } from "../hub_error";
import type { Line, Signal } from "./wire";

const PAUSE_MS = 1_000;

interface Letter {
  to: string;
  signal: Signal;
}

export interface Post {
  /** The generation that a signal to somebody belongs to at the moment at which it is sent. */
  generation(userId: string): number;
  /** The hub will not pass on what was for somebody: they are not in the call, or it cannot be sent. */
  undelivered(userId: string, error: HubError): void;
  /** A signal got this version of the call. */
  numbered(version: number): void;
  /** My part in the call is not on this connection, or the call is over. */
  refused(): void;
}

export class Outbox {
  private readonly waiting: Letter[] = [];
  private sending = false;
  private closed = false;

  constructor(
    private readonly line: Line,
    private readonly callId: string,
    /** Number of the last signal that the hub has taken. The first that waits has the next one. */
    private taken: number,
    private readonly post: Post,
  ) {}

  send(to: string, signal: Signal): void {
    this.waiting.push({ to, signal });
    void this.empty();
  }

  /** Go on after a reconnect: the hub says which number was the last. */
  resume(lastTaken: number): void {
    this.waiting.splice(0, Math.max(lastTaken - this.taken, 0));
    this.taken = lastTaken;
    void this.empty();
  }

  /** Forget what was for somebody who has left, and has not been sent. */
  drop(userId: string): void {
    const kept = this.waiting.filter((letter, place) => letter.to !== userId || (place === 0 && this.sending));
    this.waiting.splice(0, this.waiting.length, ...kept);
  }

  close(): void {
    this.closed = true;
    this.waiting.length = 0;
  }

  /** One at a time: the hub refuses a number that comes before the one below it. */
  private async empty(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    for (let first = this.waiting[0]; first && !this.closed; first = this.waiting[0]) {
      const goOn = await this.deliver(first);
      if (!goOn) break;
    }
    this.sending = false;
  }

  /** Whether there is a use in going on: without a connection there is none before `resume`. */
  private async deliver(letter: Letter): Promise<boolean> {
    const numbered = { seq: this.taken + 1, legTo: letter.to, gen: this.post.generation(letter.to) };
    try {
      const payload = { callId: this.callId, ...numbered, signal: letter.signal };
      const { version } = await this.line.ask<{ version: number }>("call:signal", payload);
      if (this.closed) return false;
      this.took(letter);
      this.post.numbered(version);
      return true;
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      return this.failed(letter, error);
    }
  }

  private async failed(letter: Letter, error: HubError): Promise<boolean> {
    if (this.closed) return false;
    if (error.code === "signal_gap") {
      this.taken = Number(error.details.expectedSeq) - 1;
    } else if (error.code === "leg_gone") {
      this.took(letter);
      this.post.undelivered(letter.to, error);
    } else if (["answered_elsewhere", "call_ended", "unknown_call"].includes(error.code)) {
      this.post.refused();
      return false;
    } else if (error.temporary) {
      if (!this.line.ready) return false;
      await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs ?? PAUSE_MS));
    } else {
      this.forget(letter); // it has not taken its number
      this.post.undelivered(letter.to, error);
    }
    return true;
  }

  private took(letter: Letter): void {
    if (this.forget(letter)) this.taken += 1;
  }

  /** Whether it still waited: `resume` may have learned in between that the hub has it. */
  private forget(letter: Letter): boolean {
    if (this.waiting[0] !== letter) return false;
    this.waiting.shift();
    return true;
  }
}

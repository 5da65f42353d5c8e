// Who is typing: telling it while I do, and showing it of others.

import type { Hub } from "./hub";

/** The hub forgets a typist after 6 s without a renewal, and so does who watches. */
const FORGET_MS = 6_000;
const RENEW_MS = 2_500;
const IDLE_MS = 4_000;

/** Tells a room that I am typing in `field`, from the first key to the last. */
export class Typing {
  private room: string | null = null;
  private toldAt = 0;
  private idle: number | undefined;

  constructor(
    private readonly hub: Hub,
    field: HTMLElement,
  ) {
    field.addEventListener("input", () => this.typed());
    field.addEventListener("blur", () => this.stop());
  }

  /** Where it is told from now on; `null`: nowhere. The connection must be in the room. */
  in(room: string | null): void {
    this.stop();
    this.room = room;
  }

  private typed(): void {
    if (this.room === null) return;
    clearTimeout(this.idle);
    this.idle = window.setTimeout(() => this.stop(), IDLE_MS);
    if (Date.now() - this.toldAt < RENEW_MS) return;
    this.toldAt = Date.now();
    this.hub.ask("typing:start", { room: this.room }).catch(() => {}); // a hint, not worth a message
  }

  private stop(): void {
    clearTimeout(this.idle);
    if (this.room === null || this.toldAt === 0) return;
    this.toldAt = 0;
    this.hub.ask("typing:stop", { room: this.room }).catch(() => {});
  }
}

/** Who types in the rooms that this connection is in. `changed` gets a room and the ids of those who type there. */
export class Typists {
  private readonly timers = new Map<string, Map<string, number>>();

  constructor(
    hub: Hub,
    private readonly changed: (room: string, userIds: string[]) => void,
  ) {
    hub.on<{ room: string; userId: string; typing: boolean }>("typing:update", ({ room, userId, typing }) => {
      this.forget(room, userId);
      // By itself, too: a node that dies cannot tell that somebody stopped.
      const later = () => this.forget(room, userId, true);
      if (typing) this.of(room).set(userId, window.setTimeout(later, FORGET_MS));
      this.show(room);
    });
  }

  private of(room: string): Map<string, number> {
    const here = this.timers.get(room) ?? new Map<string, number>();
    this.timers.set(room, here);
    return here;
  }

  private forget(room: string, userId: string, show = false): void {
    clearTimeout(this.of(room).get(userId));
    this.of(room).delete(userId);
    if (show) this.show(room);
  }

  private show(room: string): void {
    this.changed(room, [...this.of(room).keys()]);
  }
}

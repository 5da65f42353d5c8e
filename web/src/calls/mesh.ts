// The links of a call, to each member or to the hub's media server, and what they have in common: signals and generations.

import type { HubError } from "../hub_error";
import { Link, type Role } from "./link";
import type { Outgoing } from "./outgoing";
import { Outbox } from "./signals";
import type { Ice, Line, Restarted, Signal } from "./wire";

/** Stands where a user id does for the media server of a call. */
export const MEDIA = "media";
const MOST_EARLY = 300;

export interface Meshed {
  /** Whether both sides let media flow. */
  flows(userId: string): boolean;
  /** There is no path to somebody. */
  hopeless(userId: string, reason: "ice_failed" | "ice_timeout"): void;
  /** A change of my own got this version. */
  numbered(version: number): void;
  /** This connection has no say in the call. */
  refused(): void;
  changed(): void;
}

interface Early {
  signal: Signal;
  gen: number | undefined;
}

export class Mesh {
  private readonly links = new Map<string, Link>();
  /** The generations of the others' parts. */
  private readonly gens = new Map<string, number>();
  /** To somebody whom it rings: it has its offer ready. */
  private prepared: { userId: string; link: Link } | null = null;
  /** Signals of members that are not linked yet. */
  private readonly early = new Map<string, Early[]>();
  private readonly outbox: Outbox;
  private restarting: Promise<void> | null = null;

  private readonly line: Line;
  private readonly callId: string;
  /** Generation of my part in the call. */
  private gen: number;
  private ice: Ice;

  constructor(
    { line, callId, gen, ice, seq }: { line: Line; callId: string; gen: number; ice: Ice; seq: number },
    private readonly outgoing: Outgoing,
    private readonly meshed: Meshed,
  ) {
    this.line = line;
    this.callId = callId;
    this.gen = gen;
    this.ice = ice;
    this.outbox = new Outbox(line, callId, seq, {
      generation: (userId) => this.generation(userId),
      numbered: (version) => meshed.numbered(version),
      undelivered: (userId, error) => this.undelivered(userId, error),
      refused: () => meshed.refused(),
    });
  }

  get linked(): string[] {
    return [...this.links.keys()];
  }

  link(userId: string): Link | undefined {
    return this.links.get(userId);
  }

  close(): void {
    this.outbox.close();
    this.unprepare();
    for (const link of this.links.values()) link.close();
    this.links.clear();
    this.early.clear();
  }

  /** Have an offer and its candidates ready for somebody whom it rings: when they answer, every moment counts. */
  prepare(userId: string): void {
    this.unprepare();
    const link = this.newLink(userId, { polite: false, begins: true, waits: true });
    this.prepared = { userId, link };
  }

  /** Open a connection to somebody who joined, instead of the one to the device with which they were in it before. */
  open(userId: string, gen: number, role: Role): void {
    this.shut(userId);
    this.gens.set(userId, gen);
    const link = this.takePrepared(userId, role) ?? this.newLink(userId, role);
    this.links.set(userId, link);
    for (const { signal, gen: of } of this.early.get(userId) ?? []) this.take(userId, signal, of);
    this.early.delete(userId);
  }

  /** The hub's media server carries it from now on, under a new generation. */
  relay(gen: number): Link {
    this.shut(MEDIA);
    this.gens.set(MEDIA, gen);
    const link = this.newLink(MEDIA, { polite: false, begins: true });
    this.links.set(MEDIA, link);
    return link;
  }

  /** Close the connection to somebody who left. Idempotent. */
  shut(userId: string): void {
    this.links.get(userId)?.close();
    this.links.delete(userId);
    this.outbox.drop(userId);
  }

  /** Take a signal of somebody. */
  take(userId: string, signal: Signal, gen: number | undefined): void {
    const link = this.links.get(userId);
    if (!link) {
      const early = this.early.get(userId) ?? [];
      this.early.set(userId, [...early, { signal, gen }].slice(-MOST_EARLY));
    } else if ((gen ?? link.born) >= link.born) {
      if (link.isReplacedBy(signal)) this.open(userId, this.gens.get(userId) ?? 0, { polite: link.role.polite, begins: false });
      this.links.get(userId)?.take(signal);
    }
  }

  /** My part in the call has this generation: it was begun for all, or its answer was lost. */
  reach(gen: number): void {
    if (gen <= this.gen) return;
    this.gen = gen;
    for (const link of this.links.values()) link.renew({});
  }

  /** Somebody began a new generation on the same device. */
  renewed(userId: string, gen: number): void {
    if (gen <= (this.gens.get(userId) ?? 0)) return;
    const before = this.generation(userId);
    this.gens.set(userId, gen);
    if (gen > before) this.links.get(userId)?.renew({});
  }

  /** Have every link send what is sent now. */
  spread(): void {
    for (const [userId, link] of this.links) link.send(this.outgoing.sent, this.meshed.flows(userId));
  }

  /** The hub is back, and has taken this many signals from here. */
  resume(lastTaken: number): void {
    this.outbox.resume(lastTaken);
  }

  /** Look for new paths everywhere. */
  seekPaths(): void {
    this.unprepare(); // its candidates were found in another network
    for (const link of this.links.values()) link.seekPaths();
  }

  seekPathsIfLost(): void {
    for (const link of this.links.values()) link.seekPathsIfLost();
  }

  private newLink(userId: string, role: Role): Link {
    const link = new Link(this.ice, role, this.generation(userId), {
      send: (signal) => this.outbox.send(userId, signal),
      restart: () => this.restart(),
      hopeless: (reason) => this.meshed.hopeless(userId, reason),
      changed: () => this.meshed.changed(),
    });
    link.send(this.outgoing.sent, this.meshed.flows(userId));
    return link;
  }

  private takePrepared(userId: string, { polite, begins }: Role): Link | null {
    const { prepared } = this;
    this.prepared = null;
    const fits = prepared?.userId === userId && prepared.link.born === this.generation(userId) && begins && !polite;
    if (!fits) prepared?.link.close();
    if (!prepared || !fits) return null;
    prepared.link.send(this.outgoing.sent, this.meshed.flows(userId));
    prepared.link.release();
    return prepared.link;
  }

  private unprepare(): void {
    this.prepared?.link.close();
    this.prepared = null;
  }

  private generation(userId: string): number {
    return Math.max(this.gen, this.gens.get(userId) ?? 0);
  }

  /** One new generation for all links that ask at once. */
  private restart(): Promise<void> {
    this.restarting ??= this.beginGeneration().finally(() => (this.restarting = null));
    return this.restarting;
  }

  private async beginGeneration(): Promise<void> {
    const request = { callId: this.callId, gen: this.gen };
    const begun = await this.line.ask<Restarted>("call:restart", request);
    this.gen = Math.max(this.gen, begun.gen);
    this.ice = begun;
    for (const link of this.links.values()) link.renew(begun);
    this.meshed.numbered(begun.version);
  }

  private undelivered(userId: string, error: HubError): void {
    if (error.code !== "leg_gone") this.links.get(userId)?.undelivered();
  }
}

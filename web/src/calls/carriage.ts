// How the media of a call goes: from each to each, or through a media server; and what comes from whom.
//
// When that changes, the old way stays until the new one brings everybody, and a moment longer: what comes here is no
// sign that the others have it, too.

import { JanusRoom } from "./janus_room";
import { MEDIA, Mesh } from "./mesh";
import type { Outgoing } from "./outgoing";
import type { Parties } from "./party";
import { Gathering, type Received } from "./received";
import type { Labelled, Relay } from "./relay";
import type { Ice, Line, Media, Signal, Track } from "./wire";

const MESH = "mesh";
const EMBEDDED = "embedded";
const JANUS = "janus";
const LOOK_MS = 50;
const LINGER_MS = 1_500;
const LONGEST_MS = 8_000; // whoever has not come by then sends nothing, or will not come; the hub keeps a room for 15 s

export interface Carried {
  /** There is no path to somebody, or to the media server. */
  hopeless(userId: string, reason: "ice_failed" | "ice_timeout"): void;
  /** A change of my own got this version. */
  numbered(version: number): void;
  /** This connection has no say in the call. */
  refused(): void;
  changed(): void;
}

/** My part in a call. */
export interface Part {
  line: Line;
  me: string;
  callId: string;
  initiator: string;
  ice: Ice;
  gen: number;
  /** Number of the last signal that the hub has taken from here. */
  seq: number;
}

export class Carriage {
  /** What carries the media: the members to each other (`mesh`), the hub's media server (`embedded`), or another. */
  engine = MESH;

  private readonly mesh: Mesh;
  private relay: Relay | null = null;
  /** The media server that carried it before, while that may still bring what the new one does not. */
  private former: Relay | null = null;
  /** While the way changes: when that ends at the latest, by `Date.now()`. */
  private changesUntil = 0;
  private timer: ReturnType<typeof setInterval> | undefined;
  private tracks: readonly Track[] = [];
  private readonly gathering = new Gathering();
  private readonly formerGathering = new Gathering();

  constructor(
    private readonly part: Part,
    private readonly parties: Parties,
    private readonly outgoing: Outgoing,
    private readonly carried: Carried,
  ) {
    this.mesh = new Mesh(part, outgoing, {
      flows: (userId) => !outgoing.held && (userId === MEDIA || !parties.of(userId).held),
      hopeless: (userId, reason) => this.hopeless(userId, reason),
      numbered: (version) => carried.numbered(version),
      refused: () => carried.refused(),
      changed: () => carried.changed(),
    });
  }

  /** Whether a media server carries it, so that each sends once, to however many. */
  get isRelayed(): boolean {
    return this.engine !== MESH;
  }

  /** What comes from the others. Of somebody whom the new way does not bring yet, what the old one does. */
  get received(): Received[] {
    const found = this.gather(this.gathering, this.brought());
    const isMissing = ({ userId }: { userId: string }) => !found.some((one) => one.userId === userId);
    found.push(...this.gather(this.formerGathering, this.former?.labelled).filter(isMissing));
    const direct = this.parties.joined().filter(isMissing).flatMap(({ userId, media }) => {
      const streams = [...(this.mesh.link(userId)?.streams.values() ?? [])];
      return streams.map((stream) => ({ userId, stream, purpose: media?.streams[stream.id] ?? "usermedia" }));
    });
    return found.concat(direct);
  }

  /** State of the media between this device and somebody, or the media server. */
  connection(userId: string): RTCPeerConnectionState {
    return (this.relay ?? this.mesh.link(userId))?.state ?? "new";
  }

  close(): void {
    clearInterval(this.timer);
    this.relay?.close();
    this.former?.close();
    this.mesh.close();
  }

  /** Somebody is called: have everything ready for when they answer. */
  prepare(userId: string): void {
    if (!this.isRelayed) this.mesh.prepare(userId);
  }

  /** Something else carries the media from now on, or another server of the same kind. */
  carry(engine: string, gen: number): void {
    this.engine = engine;
    this.mesh.reach(gen);
    this.settle();
    const before = this.relay;
    this.relay = this.reachServer(engine, gen);
    if (this.relay) {
      this.former = before?.state === "closed" ? null : before;
      this.changesUntil = Date.now() + LONGEST_MS;
      this.timer = setInterval(() => this.look(), LOOK_MS);
      this.relay.send(this.outgoing.sent, !this.outgoing.held);
      this.relay.want(this.tracks);
    } else {
      before?.close();
      for (const { userId } of this.parties.joined()) this.open(userId, gen, !this.isPolite(userId));
    }
    this.carried.changed();
  }

  /** The hub's media server has these streams now. */
  streams(all: readonly Track[]): void {
    this.tracks = all.filter(({ userId }) => userId !== this.part.me);
    this.relay?.want(this.tracks);
  }

  /** Open what is missing, and close what is too much. */
  openLinks(begins: boolean): void {
    if (this.isRelayed) return;
    const joined = this.parties.joined();
    for (const { userId, gen } of joined) if (!this.mesh.link(userId)) this.open(userId, gen, begins);
    for (const userId of this.mesh.linked) {
      if (!joined.some((one) => one.userId === userId)) this.mesh.shut(userId);
    }
  }

  /** Somebody joined, or goes on with another device. */
  open(userId: string, gen: number, begins: boolean): void {
    if (!this.isRelayed) this.mesh.open(userId, gen, { polite: this.isPolite(userId), begins });
  }

  /** Somebody left. Idempotent. */
  shut(userId: string): void {
    this.mesh.shut(userId);
  }

  take(userId: string, signal: Signal, gen: number | undefined): void {
    this.mesh.take(userId, signal, gen);
  }

  /** Somebody began a new generation on the same device. */
  renewed(userId: string, gen: number): void {
    this.mesh.renewed(userId, gen);
  }

  /** My part has this generation: it was begun for all, or its answer was lost. */
  reach(gen: number): void {
    this.mesh.reach(gen);
  }

  /** Send what is to be sent now. */
  spread(): void {
    this.mesh.spread();
    this.relay?.send(this.outgoing.sent, !this.outgoing.held);
  }

  /** The hub is back, and has taken this many signals from here. */
  resume(lastTaken: number): void {
    this.mesh.resume(lastTaken);
  }

  seekPaths(): void {
    this.mesh.seekPaths();
    this.relay?.seekPaths();
  }

  seekPathsIfLost(): void {
    this.mesh.seekPathsIfLost();
    this.relay?.seekPathsIfLost();
  }

  /** What is sent from here. A media server has other names for its streams, known when they are agreed upon. */
  get media(): Media {
    const media = this.outgoing.media;
    for (const track of (this.relay && this.outgoing.screen?.getTracks()) ?? []) {
      const section = this.relay?.section(track);
      if (section) media.streams[`${this.part.me}/${section}`] = "screenshare";
    }
    return media;
  }

  private reachServer(engine: string, gen: number): Relay | null {
    if (engine === EMBEDDED) return this.mesh.relay(gen);
    if (engine !== JANUS) return null;
    const { line, me, callId, ice } = this.part;
    return new JanusRoom(line, callId, me, ice, () => this.carried.changed());
  }

  private gather(gathering: Gathering, tracks: readonly Labelled[] = []): Received[] {
    return gathering.gather(tracks, ({ userId, trackId }) => this.parties.of(userId).media?.streams[trackId] ?? "usermedia");
  }

  /**
   * What the media server sends here of who is in the call: it may hear later than we do that somebody has left. While
   * the way changes, of those only whose pictures are all there.
   */
  private brought(): Labelled[] {
    const joined = new Set(this.parties.joined().map(({ userId }) => userId));
    const all = (this.relay?.labelled ?? []).filter(({ userId }) => joined.has(userId));
    if (!this.changesUntil) return all;
    const coming = all.filter(({ receiver }) => !this.isThere(receiver));
    return all.filter(({ userId }) => !coming.some((one) => one.userId === userId));
  }

  /** A picture needs a key frame first. Sound needs nothing, and until somebody plays it Chromium does not say that it comes. */
  private isThere(receiver: RTCRtpReceiver): boolean {
    if (receiver.track.kind === "audio") return this.relay?.state === "connected";
    return receiver.getSynchronizationSources().length > 0;
  }

  /** The way changes: show who is there by now, and end it when everybody is. */
  private look(): void {
    const there = this.brought();
    const isComplete = this.parties.joined().every(({ userId }) => there.some((one) => one.userId === userId));
    if (isComplete) this.changesUntil = Math.min(this.changesUntil, Date.now() + LINGER_MS);
    if (Date.now() >= this.changesUntil) this.settle();
    else this.carried.changed();
  }

  /** The change is over: nothing goes the old way any more. Idempotent. */
  private settle(): void {
    clearInterval(this.timer);
    if (!this.changesUntil) return;
    this.changesUntil = 0;
    this.former?.close();
    this.former = null;
    for (const userId of this.mesh.linked) if (this.mesh.link(userId) !== this.relay) this.mesh.shut(userId);
    this.carried.changed();
  }

  /** An old way that breaks is of no interest any more, and a media server is not given up: nothing else brings the others. */
  private hopeless(userId: string, reason: "ice_failed" | "ice_timeout"): void {
    if (!this.relay) this.carried.hopeless(userId, reason);
    else if (this.mesh.link(userId) === this.relay) this.relay.seekPaths();
    else this.mesh.shut(userId);
  }

  /** Who called gives way to nobody; of two others, the one with the smaller id does. */
  private isPolite(userId: string): boolean {
    const { me, initiator } = this.part;
    return userId === initiator || (me !== initiator && me < userId);
  }
}

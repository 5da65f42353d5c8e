// One call, from its ringing to its end: what this device knows of it, and what can be done with it.

import { HubError } from "../hub_error";
import { Carriage } from "./carriage";
import type { Devices, Outgoing } from "./outgoing";
import { Parties, type Party } from "./party";
import { read, whyElsewhere } from "./reading";
import type { Received } from "./received";
import { Sending } from "./sending";
import { Versions } from "./versions";
import type { CallType, Change, Line, Member, Snapshot, Standing, Track } from "./wire";

/** Whoever shows the calls of this device. */
export interface Watcher {
  /** A call rings here, or is placed from here. */
  begun(call: Call): void;
  changed(call: Call): void;
  /** The call is over here. `reason` is the hub's word, `answered_elsewhere` and `moved` included; empty: by oneself. */
  ended(call: Call, reason: string): void;
}

export interface Surroundings {
  line: Line;
  me: string;
  devices: Devices;
  watcher: Watcher;
  /** Tell the hub that this device has left a call, also if that takes a while. */
  leave(event: "call:hangup" | "call:reject", callId: string, reason?: string): Promise<void>;
  /** This device is in a call. */
  joined(call: Call): void;
  /** The call is over here. */
  forget(call: Call): void;
}

/** What one needs to know to be in a call. */
type Joining = Pick<Standing, "version" | "gen" | "members" | "engine" | "iceServers" | "iceTransportPolicy"> & {
  /** Number of the last signal that the hub has taken from here. */
  seq?: number;
};

export class Call {
  /** Whether a device of somebody who is called rings. */
  alerted = false;
  /** Whether this device is in it. */
  joined = false;
  isOver = false;
  /** Whether the page that was in it was loaded anew. */
  isKept = false;
  /** Whether the media server writes what it gets to files. */
  isRecorded = false;
  readonly sending: Sending;

  private readonly parties: Parties;
  private readonly versions = new Versions();
  /** While this device is in it. */
  private carriage: Carriage | null = null;
  private isGroup = false;
  private accepting = false;
  /** Accepting it had no answer: it may have come here all the same. */
  private unanswered = false;
  private syncing: Promise<void> | null = null;

  constructor(
    private readonly around: Surroundings,
    public id: string,
    public initiator: string,
    public type: CallType,
  ) {
    this.parties = new Parties(around.me);
    this.sending = new Sending(around.devices, {
      joined: () => this.joined,
      isOver: () => this.isOver,
      media: () => this.carriage?.media ?? this.outgoing.media,
      ask: (event, payload) => this.ask(event, payload),
      numbered: (version) => this.numbered(version),
      spread: () => this.carriage?.spread(),
      changed: () => this.changed(),
    });
    this.versions.lacking = () => void this.sync();
  }

  /** What this device sends into it. */
  get outgoing(): Outgoing {
    return this.sending.outgoing;
  }

  /** The others: called, in it, or not any more. */
  get others(): readonly Party[] {
    return this.parties.all();
  }

  /** Whether a media server carries it, so that each sends once, to however many. */
  get isRelayed(): boolean {
    return this.carriage?.isRelayed ?? false;
  }

  get isIncoming(): boolean {
    return this.initiator !== this.around.me;
  }

  /** Whether it rings here. */
  get rings(): boolean {
    return this.isIncoming && !this.joined && !this.isKept;
  }

  get received(): Received[] {
    return this.carriage?.received ?? [];
  }

  /** State of the media between this device and somebody. */
  connection(userId: string): RTCPeerConnectionState {
    return this.carriage?.connection(userId) ?? "new";
  }

  // What the user does

  /** Open camera and microphone. Again: nothing. */
  openMedia(): Promise<void> {
    return this.sending.open(this.type);
  }

  /** Take the call on this device. Temporary errors leave it ringing, and it can be accepted again. */
  async accept(): Promise<void> {
    this.accepting = true;
    try {
      // Whoever calls hears nothing while a browser asks for the camera; where it need not, they can begin at once.
      if (!(await this.around.devices.areAllowed(this.type))) await this.openMedia();
      if (this.isOver || this.joined) return;
      this.unanswered = true;
      const [standing] = await Promise.all([this.ask<Standing>("call:accept"), this.openMedia()]);
      this.join(standing);
    } catch (error) {
      if (!this.isOver && !(error instanceof HubError)) await this.end("user_media_failed");
      if (error instanceof HubError && !error.temporary) this.over(error.code);
      throw error;
    } finally {
      this.accepting = false;
    }
  }

  /** Have it here instead of on another device of mine. Who is in it, the hub says then. */
  async take(): Promise<void> {
    this.accepting = true;
    try {
      await this.openMedia();
      if (this.isOver) return;
      this.join(await this.ask<Standing>("call:transfer"));
    } finally {
      this.accepting = false;
    }
    await this.sync();
  }

  /** Ring no more on this device, while the others ring on. */
  ignore(): void {
    void this.ask("call:ignore").catch(() => {}); // nobody else is told anyway
    this.over("");
  }

  /** Take it back, decline it or leave it, whichever its state makes of that. It is over here at once. */
  async end(reason?: string): Promise<void> {
    if (this.isOver) return;
    const declines = this.rings && !this.accepting;
    const told = this.around.leave(declines ? "call:reject" : "call:hangup", this.id, reason);
    this.over("");
    await told;
  }

  /** Ring more people, which makes it a group. */
  async invite(to: readonly string[]): Promise<void> {
    const standing = await this.ask<Standing>("call:invite", { to });
    this.becomeGroup();
    this.parties.learn(standing.members ?? to.map((userId): Member => ({ userId, state: "ringing" })), standing.version);
    this.versions.mine(standing.version);
    this.changed();
  }

  /** Have somebody join instead of oneself. */
  async transfer(to: string): Promise<void> {
    this.versions.mine((await this.ask<Standing>("call:transfer", { to })).version);
    this.becomeGroup();
  }

  /** Go on with video. The others are told, and may do the same. */
  async upgrade(): Promise<void> {
    const { version } = await this.ask<{ version: number }>("call:upgrade", { video: true });
    this.versions.mine(version);
    this.type = "video";
    await this.sending.addVideo();
  }

  // What the client is told

  /** This device is in it now. Whoever was there before makes the offers, which is who `begins`. */
  join(standing: Joining, begins = false): void {
    if (this.isOver || this.joined) return;
    this.joined = true;
    if (standing.members) this.learn(standing.members, standing.version);
    const { line, me } = this.around;
    const part = { line, me, callId: this.id, initiator: this.initiator, ice: standing, gen: standing.gen ?? 0, seq: standing.seq ?? 0 };
    this.carriage = new Carriage(part, this.parties, this.outgoing, {
      hopeless: (userId, reason) => this.hopeless(userId, reason),
      numbered: (version) => this.numbered(version),
      refused: () => void this.sync(),
      changed: () => this.mediaChanged(),
    });
    if (!this.isGroup && this.isIncoming) this.parties.of(this.initiator).state = "joined";
    this.carry(standing.engine, part.gen, begins);
    const [callee] = this.others;
    if (!this.isGroup && callee?.state === "ringing") this.carriage.prepare(callee.userId);
    this.versions.begin(standing.version);
    if (this.isGroup && !standing.members) void this.sync();
    this.around.joined(this);
    this.changed();
  }

  /** Take the members as the hub lists them at a version of the call. More than two, or none for a call between two. */
  learn(members: readonly Member[], version: number): void {
    if (members.length > 2) this.becomeGroup();
    this.parties.learn(members, version);
  }

  becomeGroup(): void {
    this.isGroup = true;
    this.versions.loosen();
  }

  /** Somebody changed something. */
  heard(change: Change): void {
    this.versions.take(change.version, () => this.apply(change));
  }

  /** A change of my own got this version. */
  numbered(version: number): void {
    this.versions.mine(version);
  }

  /** It is over for this device, unless that is meant for the others of the same person. */
  cancelled(reason: string): void {
    if (this.joined || (this.unanswered && !this.accepting)) return void this.sync();
    if (!(this.accepting && reason === "answered_elsewhere")) this.over(reason); // else the answer to that says it
  }

  /** The hub's media server has these streams now, and records them or not. */
  streams(all: readonly Track[], recorded: boolean): void {
    this.isRecorded = recorded;
    this.carriage?.streams(all);
    this.changed();
  }

  /** Read what this device may have missed. */
  sync(): Promise<void> {
    this.syncing ??= this.read().finally(() => (this.syncing = null));
    return this.syncing;
  }

  /** The connection to the hub is back. */
  async resume(): Promise<void> {
    // One that is being placed, accepted or returned to at this moment gets an answer to that, or an error.
    if (this.accepting || (!this.joined && !this.rings)) return;
    await this.sync();
    if (this.isOver || !this.joined) return;
    this.carriage?.seekPathsIfLost();
    await this.sending.tell(true).catch(() => {});
  }

  /** This device has another network. */
  networkChanged(): void {
    this.carriage?.seekPaths();
  }

  /** The call is over here. Idempotent. */
  over(reason: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.carriage?.close();
    this.versions.close();
    this.sending.stop();
    this.around.forget(this);
    this.around.watcher.ended(this, reason);
  }

  /** The call as the hub has it. Null: there is no connection, or the call is over, by this at the latest. */
  async snapshot(): Promise<Snapshot | null> {
    try {
      return await read(this.around.line, this.id, this.versions.since, () => this.isOver);
    } catch {
      this.over("unknown_error");
      return null;
    }
  }

  private async read(): Promise<void> {
    const snapshot = await this.snapshot();
    if (this.isOver || !snapshot) return;
    if (snapshot.state === "ended") return this.over(snapshot.reason ?? "user_hangup");
    if (!snapshot.mine) {
      const reason = whyElsewhere(snapshot.members, this.around.me, this.joined);
      return reason === null ? undefined : this.over(reason);
    }
    this.type = snapshot.type;
    if (snapshot.members.length > 2) this.becomeGroup();
    // The answer to accepting was lost: what came since then is in the snapshot.
    if (!this.joined) this.join({ ...snapshot, version: 0 });
    this.carriage?.reach(snapshot.gen ?? 0);
    const changes = snapshot.events.map((change) => ({ version: change.version, act: () => this.apply(change) }));
    this.versions.fill(changes, snapshot.version);
    if (this.isOver) return;
    this.learn(snapshot.members, snapshot.version);
    this.carry(snapshot.engine, snapshot.gen ?? 0, true);
    this.carriage?.spread();
    this.carriage?.resume(snapshot.seq);
    if (!snapshot.complete) this.carriage?.seekPaths();
    this.changed();
  }

  private apply(change: Change): void {
    const { kind, from, signal, gen = 0 } = change;
    if (this.isOver || from === this.around.me) return;
    if (kind === "signal") return void (signal && this.carriage?.take(from, signal, change.gen));
    if (kind === "alerting") this.alerted = true;
    if (kind === "invited") this.becomeGroup();
    if (kind === "upgraded") this.type = change.type ?? this.type;
    this.parties.change(change);
    if (kind === "move") this.carriage?.carry(change.engine ?? "mesh", gen);
    if (kind === "accepted" || kind === "moved") this.carriage?.open(from, gen, true);
    else if (kind === "restarted") this.carriage?.renewed(from, gen);
    else if (kind === "declined" || kind === "left") this.carriage?.shut(from);
    else if (kind === "held" || kind === "unheld") this.carriage?.spread();
    // A node that died may have told nobody what it did; who had been on it makes itself heard when it is back.
    if (kind === "resumed" && this.isGroup) void this.sync();
    this.changed();
  }

  /** This carries the media now. If nothing has changed, see that all links are there. */
  private carry(engine: string | undefined, gen: number, begins: boolean): void {
    if (engine && engine !== this.carriage?.engine) this.carriage?.carry(engine, gen);
    else this.carriage?.openLinks(begins);
  }

  private hopeless(userId: string, reason: "ice_failed" | "ice_timeout"): void {
    if (!this.isGroup) {
      void this.around.leave("call:hangup", this.id, reason);
      this.over(reason);
    } else {
      this.carriage?.shut(userId); // the others can be heard all the same
      this.changed();
    }
  }

  private mediaChanged(): void {
    this.changed();
    if (this.outgoing.screen) void this.sending.tell().catch(() => {}); // said again with the next change
  }

  private ask<T>(event: string, payload: object = {}): Promise<T> {
    return this.around.line.ask<T>(event, { callId: this.id, ...payload });
  }

  private changed(): void {
    if (!this.isOver) this.around.watcher.changed(this);
  }
}

// One call, from its ringing to its end: what this device knows of it, and what can be done with it.

import { HubError } from "../hub_error";
import { MEDIA, Mesh } from "./mesh";
import { type Devices, Outgoing } from "./outgoing";
import { Parties, type Party } from "./party";
import { Gathering, type Received } from "./received";
import { Versions } from "./versions";
import type { CallType, Change, Ice, Line, Media, Member, Snapshot, Standing, Track } from "./wire";

const PAUSE_MS = 1_000;
const MESH = "mesh";
const EMBEDDED = "embedded";

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
  /** The call is over here. */
  forget(call: Call): void;
}

export class Call {
  /** Whether a device of somebody who is called rings. */
  alerted = false;
  /** Whether this device is in it. */
  joined = false;
  isOver = false;
  /** Whether the media server writes what it gets to files. */
  isRecorded = false;
  readonly outgoing = new Outgoing();

  private readonly parties: Parties;
  private readonly versions = new Versions();
  private mesh: Mesh | null = null;
  /** What carries the media: the members to each other (`mesh`), the hub's media server (`embedded`), or another. */
  private engine = MESH;
  private readonly gathering = new Gathering();
  private tracks: readonly Track[] = [];
  private isGroup = false;
  private accepting = false;
  private told = "";
  private syncing: Promise<void> | null = null;

  constructor(
    private readonly around: Surroundings,
    public id: string,
    public initiator: string,
    public type: CallType,
  ) {
    this.parties = new Parties(around.me);
    this.versions.lacking = () => void this.sync();
  }

  /** The others: called, in it, or not any more. */
  get others(): readonly Party[] {
    return this.parties.all();
  }

  /** Whether a media server carries it, so that each sends once, to however many. */
  get isRelayed(): boolean {
    return this.engine !== MESH;
  }

  get isIncoming(): boolean {
    return this.initiator !== this.around.me;
  }

  get received(): Received[] {
    const relayed = this.mesh?.link(MEDIA);
    if (relayed?.state === "connected") {
      const purposes = ({ userId, trackId }: { userId: string; trackId: string }) =>
        this.parties.of(userId).media?.streams[trackId] ?? "usermedia";
      return this.gathering.gather(relayed.labelled, purposes);
    }
    return this.parties.joined().flatMap(({ userId, media }) => {
      const streams = [...(this.mesh?.link(userId)?.streams.values() ?? [])];
      return streams.map((stream) => ({ userId, stream, purpose: media?.streams[stream.id] ?? "usermedia" }));
    });
  }

  /** State of the media between this device and somebody. */
  connection(userId: string): RTCPeerConnectionState {
    return this.mesh?.link(userId)?.state ?? "new";
  }

  // What the user does

  /** Open camera and microphone. Again: nothing. */
  async openMedia(): Promise<void> {
    if (this.outgoing.user) return;
    const media = await this.around.devices.open(this.type);
    if (this.isOver) return media.getTracks().forEach((track) => track.stop()); // hung up while the browser asked
    this.outgoing.have(media);
    this.changed();
  }

  /** Take the call on this device. Temporary errors leave it ringing, and it can be accepted again. */
  async accept(): Promise<void> {
    this.accepting = true;
    try {
      await this.openMedia();
      if (this.isOver || this.joined) return;
      this.join(await this.ask<Standing>("call:accept"));
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
    const declines = this.isIncoming && !this.joined && !this.accepting;
    const told = this.around.leave(declines ? "call:reject" : "call:hangup", this.id, reason);
    this.over("");
    await told;
  }

  /** Ring more people, which makes it a group. */
  async invite(to: readonly string[]): Promise<void> {
    const standing = await this.ask<Standing>("call:invite", { to });
    this.becomeGroup();
    this.parties.learn(standing.members ?? to.map((userId): Member => ({ userId, state: "ringing" })));
    this.versions.mine(standing.version);
    this.changed();
  }

  /** Have somebody join instead of oneself. */
  async transfer(to: string): Promise<void> {
    this.versions.mine((await this.ask<Standing>("call:transfer", { to })).version);
    this.becomeGroup();
  }

  /** Stop sending sound or picture, or go on with it. */
  async mute(kind: "audio" | "video", on: boolean): Promise<void> {
    this.outgoing.mute(kind, on);
    await this.tellMedia();
  }

  /** Let nothing flow in either direction, or go on. */
  async hold(on: boolean): Promise<void> {
    const { version } = await this.ask<{ version: number }>(on ? "call:hold" : "call:resume");
    this.outgoing.held = on;
    this.mesh?.spread();
    this.versions.mine(version);
    this.changed();
  }

  /** Show the screen to the others, beside the camera, until they or the browser end that. */
  async shareScreen(): Promise<void> {
    const screen = await this.around.devices.screen();
    if (this.isOver || this.outgoing.screen) return screen.getTracks().forEach((track) => track.stop());
    this.outgoing.screen = screen;
    screen.getTracks().forEach((track) => (track.onended = () => void this.unshareScreen().catch(() => {})));
    await this.tellMedia(); // first: the others know what the stream is when it comes
    this.mesh?.spread();
  }

  async unshareScreen(): Promise<void> {
    this.outgoing.screen?.getTracks().forEach((track) => track.stop());
    this.outgoing.screen = null;
    this.mesh?.spread();
    await this.tellMedia();
  }

  /** Go on with video. The others are told, and may do the same. */
  async upgrade(): Promise<void> {
    const { version } = await this.ask<{ version: number }>("call:upgrade", { video: true });
    this.versions.mine(version);
    this.type = "video";
    const [before, media] = [this.outgoing.user, await this.around.devices.open("video")];
    if (this.isOver) return media.getTracks().forEach((track) => track.stop());
    this.outgoing.have(media);
    this.mesh?.spread();
    before?.getTracks().forEach((track) => track.stop());
    await this.tellMedia();
  }

  // What the client is told

  /** This device is in it now. Whoever was there before makes the offers. */
  join(standing: Ice & { version: number; gen?: number; members?: Member[] }): void {
    if (this.isOver || this.joined) return;
    this.joined = true;
    if (standing.members) this.learn(standing.members);
    this.mesh = new Mesh(this.around.line, this.id, this.outgoing, standing, standing.gen ?? 0, {
      flows: (userId) => !this.outgoing.held && (userId === MEDIA || !this.parties.of(userId).held),
      hopeless: (userId, reason) => this.hopeless(userId, reason),
      numbered: (version) => this.versions.mine(version),
      refused: () => void this.sync(),
      changed: () => this.mediaChanged(),
    });
    if (!this.isGroup && this.isIncoming) this.parties.of(this.initiator).state = "joined";
    this.openLinks(false);
    this.versions.begin(standing.version);
    if (this.isGroup && !standing.members) void this.sync();
    this.changed();
  }

  /** Take the members from the hub. More than two, or none listed for a call between two. */
  learn(members: readonly Member[]): void {
    if (members.length > 2) this.becomeGroup();
    this.parties.learn(members);
  }

  becomeGroup(): void {
    this.isGroup = true;
    this.versions.loosen();
  }

  /** Somebody changed something. */
  heard(change: Change): void {
    this.versions.take(change.version, () => this.apply(change));
  }

  /** It is over for this device, unless that is meant for the others of the same person. */
  cancelled(reason: string): void {
    if (this.joined) return void this.sync();
    if (!(this.accepting && reason === "answered_elsewhere")) this.over(reason); // else the answer to that says it
  }

  /** The media server has these streams now, and records them or not. */
  streams(all: readonly Track[], recorded: boolean): void {
    this.isRecorded = recorded;
    this.tracks = all.filter(({ userId }) => userId !== this.around.me);
    this.mesh?.link(MEDIA)?.want(this.tracks);
    this.changed();
  }

  /** Read what this device may have missed. */
  sync(): Promise<void> {
    this.syncing ??= this.read().finally(() => (this.syncing = null));
    return this.syncing;
  }

  /** The connection to the hub is back. */
  async resume(): Promise<void> {
    // One that is being placed or accepted at this moment gets an answer to that, or an error.
    if (this.accepting || (!this.joined && !this.isIncoming)) return;
    await this.sync();
    if (this.isOver || !this.joined) return;
    this.mesh?.seekPathsIfLost();
    if (this.told) await this.tellMedia(true).catch(() => {});
  }

  /** This device has another network. */
  networkChanged(): void {
    this.mesh?.seekPaths();
  }

  /** The call is over here. Idempotent. */
  over(reason: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.mesh?.close();
    this.versions.close();
    this.outgoing.stop();
    this.around.forget(this);
    this.around.watcher.ended(this, reason);
  }

  private async read(): Promise<void> {
    const snapshot = await this.snapshot();
    if (this.isOver || !snapshot) return;
    if (snapshot.state === "ended") return this.over(snapshot.reason ?? "user_hangup");
    if (!snapshot.mine) return this.elsewhere(snapshot.members);
    this.type = snapshot.type;
    if (snapshot.members.length > 2) this.becomeGroup();
    // The answer to accepting was lost: what came since then is in the snapshot.
    if (!this.joined) this.join({ ...snapshot, version: 0 });
    this.mesh?.reach(snapshot.gen ?? 0);
    const changes = snapshot.events.map((change) => ({ version: change.version, act: () => this.apply(change) }));
    this.versions.fill(changes, snapshot.version);
    if (this.isOver) return;
    this.learn(snapshot.members);
    if (snapshot.engine !== this.engine) this.carry(snapshot.engine, snapshot.gen ?? 0);
    else this.openLinks(true);
    this.mesh?.spread();
    this.mesh?.resume(snapshot.seq);
    if (!snapshot.complete) this.mesh?.seekPaths();
    this.changed();
  }

  private async snapshot(): Promise<Snapshot | null> {
    for (;;) {
      try {
        return await this.ask<Snapshot>("call:sync", { sinceVersion: this.versions.since });
      } catch (error) {
        if (!(error instanceof HubError) || !error.temporary) {
          this.over("unknown_error"); // the hub knows of no such call any more
          return null;
        }
        if (this.isOver || !this.around.line.ready) return null; // `resume` reads again
        await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs ?? PAUSE_MS));
      }
    }
  }

  /** This device has no part in it. */
  private elsewhere(members: readonly Member[]): void {
    const mine = members.find((one) => one.userId === this.around.me)?.state;
    if (mine === "joined") this.over(this.joined ? "moved" : "answered_elsewhere");
    else if (mine === "declined") this.over("rejected");
    else if (mine === "left" || this.joined) this.over(this.joined ? "ice_timeout" : "invite_timeout");
  }

  private apply(change: Change): void {
    const { kind, from, signal, gen = 0 } = change;
    if (this.isOver || from === this.around.me) return;
    if (kind === "signal") return void (signal && this.mesh?.take(from, signal, change.gen));
    if (kind === "alerting") this.alerted = true;
    if (kind === "invited") this.becomeGroup();
    if (kind === "upgraded") this.type = change.type ?? this.type;
    this.parties.change(change);
    if (kind === "move") return this.carry(change.engine ?? MESH, gen);
    if (kind === "accepted" || kind === "moved") this.open(from, gen, true);
    else if (kind === "restarted") this.mesh?.renewed(from, gen);
    else if (kind === "declined" || kind === "left") this.mesh?.shut(from);
    else if (kind === "held" || kind === "unheld") this.mesh?.spread();
    // A node that died may have told nobody what it did; who had been on it makes itself heard when it is back.
    if (kind === "resumed" && this.isGroup) void this.sync();
    this.changed();
  }

  /** Something else carries the media from now on, or another server of the same kind. */
  private carry(engine: string, gen: number): void {
    this.engine = engine;
    this.mesh?.reach(gen);
    if (engine === EMBEDDED) {
      this.mesh?.relay(gen);
      this.mesh?.link(MEDIA)?.want(this.tracks);
    } else {
      this.mesh?.shut(MEDIA);
      for (const { userId } of this.parties.joined()) this.open(userId, gen, !this.isPolite(userId));
    }
    this.changed();
  }

  /** Open what is missing, and close what is too much. */
  private openLinks(begins: boolean): void {
    if (this.engine !== MESH) return;
    const joined = this.parties.joined();
    for (const { userId, gen } of joined) if (!this.mesh?.link(userId)) this.open(userId, gen, begins);
    for (const userId of this.mesh?.linked ?? []) {
      if (!joined.some((one) => one.userId === userId)) this.mesh?.shut(userId);
    }
  }

  private open(userId: string, gen: number, begins: boolean): void {
    if (this.engine === MESH) this.mesh?.open(userId, gen, { polite: this.isPolite(userId), begins });
  }

  /** Who called gives way to nobody; of two others, the one with the smaller id does. */
  private isPolite(userId: string): boolean {
    const { me } = this.around;
    return userId === this.initiator || (me !== this.initiator && me < userId);
  }

  private hopeless(userId: string, reason: "ice_failed" | "ice_timeout"): void {
    if (!this.isGroup) {
      void this.around.leave("call:hangup", this.id, reason);
      this.over(reason);
    } else {
      this.mesh?.shut(userId); // the others can be heard all the same
      this.changed();
    }
  }

  /** Say what is sent from here, if it is not what was said last. */
  private async tellMedia(again = false): Promise<void> {
    this.changed();
    const media = this.media();
    const told = JSON.stringify(media);
    if (!this.joined || (told === this.told && !again)) return;
    this.told = told;
    try {
      this.versions.mine((await this.ask<{ version: number }>("call:media", media)).version);
    } catch (error) {
      this.told = "not"; // whatever is sent then, it is to be said
      throw error;
    }
  }

  /** What is sent from here. A media server has other names for its streams, known when they are agreed upon. */
  private media(): Media {
    const media = this.outgoing.media;
    const relayed = this.mesh?.link(MEDIA);
    for (const track of (relayed && this.outgoing.screen?.getTracks()) ?? []) {
      const section = relayed?.section(track);
      if (section) media.streams[`${this.around.me}/${section}`] = "screenshare";
    }
    return media;
  }

  private mediaChanged(): void {
    this.changed();
    if (this.outgoing.screen) void this.tellMedia().catch(() => {}); // said again with the next change
  }

  private ask<T>(event: string, payload: object = {}): Promise<T> {
    return this.around.line.ask<T>(event, { callId: this.id, ...payload });
  }

  private changed(): void {
    if (!this.isOver) this.around.watcher.changed(this);
  }
}

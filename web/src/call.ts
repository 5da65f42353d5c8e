// A video call with one person: ringing, accepting, hanging up, and finding it again after a reconnect.

import { attempt, byId, notice, onPress } from "./dom";
import type { Hub } from "./hub";
import { HubError } from "./hub_error";
import { newUlid } from "./ids";
import type { People } from "./people";
import { Peer, type Signal } from "./peer";
import type { User } from "./session";

const ENDS: Record<string, string> = {
  user_hangup: "The call is over.",
  cancelled: "The call was taken back.",
  rejected: "The call was declined.",
  user_busy: "The other person is in a call.",
  invite_timeout: "Nobody answered.",
  answered_elsewhere: "You answered on another device.",
  ice_failed: "The connection between the two of you did not come about.",
  user_media_failed: "There was no camera or microphone to use.",
};

interface Placed {
  callId: string;
  state: string;
  reason?: string;
  initiator: string;
  version: number;
  iceServers: RTCIceServer[];
}

interface Snapshot {
  state: string;
  mine: boolean;
  seq: number;
  version: number;
  events: { version: number; kind: string; from: string; signal?: Signal }[];
}

/** The call that this page is in, or that rings here. */
interface Current {
  id: string;
  /** Whom with, for the reader. */
  name: string;
  /** The caller makes the offer. */
  offers: boolean;
  iceServers: RTCIceServer[];
  /** The last change of the call that was seen here. */
  version: number;
  media: MediaStream | null;
  peer: Peer | null;
  /** Signals that overtook the acknowledgement which lets the peer begin. */
  early: Signal[];
}

export class Calls {
  private current: Current | null = null;
  private readonly section = byId("call", HTMLElement);
  private readonly accepts = byId("call-accept", HTMLButtonElement);
  private readonly myVideo = byId("my-video", HTMLVideoElement);
  private readonly theirVideo = byId("their-video", HTMLVideoElement);

  constructor(
    private readonly hub: Hub,
    private readonly me: User,
    private readonly people: () => People,
  ) {
    onPress(this.accepts, () => this.accept());
    onPress(byId("call-end", HTMLButtonElement), () => this.hangUp());
    hub.on<{ callId: string; initiator: string; version: number }>("call:incoming", (call) => this.ring(call));
    this.hear<{ version: number }>("call:accepted", () => this.connect());
    this.hear<{ version: number; from: string; signal: Signal }>("call:signal", ({ signal }) => this.signalled(signal));
    this.hear<{ version: number; kind: string }>("call:state", ({ kind }) => kind === "alerting" && this.say("ringing at"));
    this.hear<{ version: number; reason: string }>("call:cancelled", ({ reason }) => this.over(reason));
    this.hear<{ version: number; reason: string }>("call:ended", ({ reason }) => this.over(reason));
    hub.onReady(() => void attempt(() => this.resume()));
  }

  /** Call somebody. The camera first: nobody shall hear it ring for nothing. */
  async place(user: User): Promise<void> {
    if (this.current) throw new Error("You are in a call already.");
    const call = this.begin(newUlid(), user.displayName || user.username, true);
    this.say("calling");
    try {
      await this.openMedia(call);
      if (this.isPast(call)) return; // hung up while the browser asked for the camera
      const placed = await this.hub.ask<Placed>("call:initiate", { to: user.id, type: "video", callId: call.id });
      // Both called at once: the hub has made one call of the two, and the other person is its caller.
      call.offers = placed.initiator === this.me.id;
      call.id = placed.callId;
      call.iceServers = placed.iceServers;
      if (this.isPast(call)) return await this.end(call.id); // hung up under an id that the hub did not know yet
      if (placed.state === "ended") return this.over(placed.reason ?? ""); // the other person is in a call
      if (call.offers) return;
      this.connect();
      await this.resume(); // what came under the other call's id before this one knew it
    } catch (error) {
      if (!this.isPast(call)) this.over("");
      if (call.media) void this.end(call.id).catch(() => {}); // no answer does not mean that it rings nowhere
      throw error;
    }
  }

  /** Leave the call, if there is one: take it back, decline it or hang up, whichever its state makes of that. */
  async hangUp(reason?: string): Promise<void> {
    const call = this.current;
    this.over("");
    if (call) await this.end(call.id, reason);
  }

  private async end(callId: string, reason?: string): Promise<void> {
    await this.hub.ask("call:hangup", { callId, ...(reason && { reason }) }).catch(forgetEnded);
  }

  private ring({ callId, initiator, version }: { callId: string; initiator: string; version: number }): void {
    if (this.current) return; // the same call again, or a second one, which the hub ends after its time
    const call = this.begin(callId, this.people().nameOf(initiator), false);
    call.version = version;
    this.accepts.hidden = false;
    this.say("call from");
    this.accepts.focus();
    void this.hub.ask("call:ringing", { callId }).catch(() => {}); // only lets the caller know
  }

  private async accept(): Promise<void> {
    const call = this.current;
    if (!call) return;
    try {
      await this.openMedia(call);
      if (this.isPast(call)) return; // over while the browser asked for the camera
      const accepted = await this.hub.ask<{ iceServers: RTCIceServer[] }>("call:accept", { callId: call.id });
      call.iceServers = accepted.iceServers;
    } catch (error) {
      if (!this.isPast(call)) {
        if (!(error instanceof HubError)) await this.hangUp("user_media_failed");
        else if (!error.temporary) this.over(""); // else it rings on, and accepting twice is accepting once
      }
      throw error;
    }
    if (!this.isPast(call)) this.connect();
  }

  /** Both are in: open the media, and if I am the caller, offer it. */
  private connect(): void {
    const call = this.current;
    if (!call?.media || call.peer) return;
    this.accepts.hidden = true;
    this.say("in a call with");
    const peer = new Peer(this.hub, call.id, call.iceServers, call.media);
    call.peer = peer;
    peer.received = (stream) => (this.theirVideo.srcObject = stream);
    peer.failed = () => void attempt(() => this.hangUp("ice_failed")).then(() => notice(ENDS.ice_failed ?? ""));
    for (const signal of call.early.splice(0)) peer.take(signal);
    if (call.offers) peer.offer().catch(() => peer.failed());
  }

  private signalled(signal: Signal): void {
    const call = this.current;
    if (call?.peer) call.peer.take(signal);
    else call?.early.push(signal);
  }

  /** After a reconnect: the call went on meanwhile, or it did not. */
  private async resume(): Promise<void> {
    const call = this.current;
    if (!call) return;
    let snapshot: Snapshot;
    try {
      snapshot = await this.hub.ask<Snapshot>("call:sync", { callId: call.id, sinceVersion: call.version });
    } catch (error) {
      if (!this.isPast(call) && error instanceof HubError && !error.temporary) this.over("unknown_call");
      return;
    }
    if (this.isPast(call)) return;
    if (snapshot.state === "ended") return this.over("user_hangup");
    if (!snapshot.mine) return;
    for (const { version, kind, from, signal } of snapshot.events) {
      if (version <= call.version) continue;
      call.version = version;
      if (kind === "accepted") this.connect();
      if (kind === "signal" && signal && from !== this.me.id) this.signalled(signal);
    }
    call.peer?.resume(snapshot.seq);
  }

  private begin(id: string, name: string, offers: boolean): Current {
    this.current = { id, name, offers, iceServers: [], version: 0, media: null, peer: null, early: [] };
    this.section.hidden = false;
    return this.current;
  }

  /** Whether the call ended here while something was waited for. There may be another one by now. */
  private isPast(call: Current): boolean {
    return call !== this.current;
  }

  private async openMedia(call: Current): Promise<void> {
    if (call.media) return;
    if (!navigator.mediaDevices) throw new Error("Browsers give camera and microphone to secure pages only: use https.");
    const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    if (this.isPast(call)) return stop(media); // hung up while the browser asked
    call.media = media;
    this.myVideo.srcObject = media;
  }

  /** The call is over here. Idempotent. */
  private over(reason: string): void {
    const call = this.current;
    this.current = null;
    call?.peer?.close();
    if (call?.media) stop(call.media);
    this.myVideo.srcObject = this.theirVideo.srcObject = null;
    this.accepts.hidden = this.section.hidden = true;
    if (call && reason) notice(ENDS[reason] ?? "The call is over.");
  }

  /** Hear an event of the current call, unless it is older than what was seen. */
  private hear<T extends { version: number }>(event: string, listener: (payload: T) => void): void {
    this.hub.on<T & { callId: string }>(event, (payload) => {
      if (payload.callId !== this.current?.id) return;
      this.current.version = Math.max(this.current.version, payload.version);
      listener(payload);
    });
  }

  private say(doing: string): void {
    byId("call-state", HTMLElement).textContent = `${doing} ${this.current?.name ?? ""}`;
  }
}

function stop(media: MediaStream): void {
  for (const track of media.getTracks()) track.stop();
}

/** A call that is over already needs no hanging up. */
function forgetEnded(error: unknown): void {
  if (!(error instanceof HubError && ["call_ended", "unknown_call"].includes(error.code))) throw error;
}

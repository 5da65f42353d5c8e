// The peer connection with one other member of a call.

import { CandidateBatch } from "./candidates";
import { IceRestart } from "./ice_restart";
import { type Label, labels } from "./labels";
import { Negotiation } from "./negotiation";
import type { Sent } from "./outgoing";
import type { Ice, Signal, Track } from "./wire";

export interface Role {
  /** Gives way when both offer at once. Exactly one of the two is. */
  polite: boolean;
  /** Makes the first offer. */
  begins: boolean;
}

export interface Host {
  send(signal: Signal): void;
  /** Begin a new generation of my part in the call. */
  restart(): Promise<void>;
  /** There is no path between the two. */
  hopeless(reason: "ice_failed" | "ice_timeout"): void;
  changed(): void;
}

export class Link {
  /** What comes from the other member, by the ids of the streams. */
  readonly streams = new Map<string, MediaStream>();

  private readonly connection: RTCPeerConnection;
  private readonly negotiation: Negotiation;
  private readonly candidates: CandidateBatch;
  private readonly recovery: IceRestart;
  private readonly senders = new Map<MediaStreamTrack, RTCRtpSender>();
  private work: Promise<void> = Promise.resolve();

  /** `born` is the generation that it begins with: older signals were for a connection before it. */
  constructor(
    ice: Ice,
    role: Role,
    readonly born: number,
    private readonly host: Host,
  ) {
    this.connection = new RTCPeerConnection(configuration(ice));
    this.candidates = new CandidateBatch((signal) => host.send(signal));
    this.negotiation = new Negotiation(this.connection, role.polite, role.begins, (signal) => host.send(signal));
    this.recovery = new IceRestart(role.polite, () => this.restart(), (reason) => host.hopeless(reason));
    this.negotiation.failed = (error) => this.broken(error);
    this.connection.onicecandidate = ({ candidate }) => this.candidates.add(candidate);
    this.connection.onconnectionstatechange = () => this.stateChanged();
    this.connection.ontrack = ({ streams }) => streams[0] && this.received(streams[0]);
  }

  get state(): RTCPeerConnectionState {
    return this.connection.connectionState;
  }

  close(): void {
    this.connection.onicecandidate = this.connection.onconnectionstatechange = this.connection.ontrack = null;
    this.negotiation.close();
    this.candidates.close();
    this.recovery.close();
    this.connection.close();
    this.streams.clear();
  }

  /** Send these tracks and no others. Without `flowing` they stay agreed upon, and nothing of them is sent. */
  send(sent: readonly Sent[], flowing: boolean): void {
    for (const [track, sender] of this.senders) {
      if (sent.some((one) => one.track === track)) continue;
      this.senders.delete(track);
      this.connection.removeTrack(sender);
    }
    for (const { track, stream } of sent) {
      const sender = this.senders.get(track) ?? this.connection.addTrack(track, stream);
      this.senders.set(track, sender);
      const wanted = flowing ? track : null;
      if (sender.track !== wanted) void sender.replaceTrack(wanted).catch(() => {}); // it was closed meanwhile
    }
  }

  /** The section in which a track is sent, once that is agreed upon. */
  section(track: MediaStreamTrack): string | null {
    const sender = this.senders.get(track);
    return this.connection.getTransceivers().find((one) => one.sender === sender)?.mid ?? null;
  }

  /** What a media server sends here: each track with whose it is. */
  get labelled(): (Label & { track: MediaStreamTrack })[] {
    const known = labels(this.connection.currentRemoteDescription?.sdp ?? "");
    return this.connection.getTransceivers().flatMap(({ mid, receiver }) => {
      const label = known.get(mid ?? "");
      return label ? [{ ...label, track: receiver.track }] : [];
    });
  }

  /** Have a section for each stream that a media server has from others, and ask it to fill them. */
  want(streams: readonly Track[]): void {
    for (const kind of ["audio", "video"] as const) {
      const wanted = streams.filter((one) => one.kind === kind).length;
      const sections = this.connection.getTransceivers().filter(
        ({ receiver, direction }) => receiver.track.kind === kind && /recv/.test(direction),
      );
      for (let more = wanted - sections.length; more > 0; more--) {
        this.connection.addTransceiver(kind, { direction: "recvonly" });
      }
    }
    const sent = new Set(this.labelled.map(({ trackId }) => trackId));
    const isSame = sent.size === streams.length && streams.every(({ id }) => sent.has(id));
    if (!isSame) this.negotiation.again();
  }

  /** Take a signal of the other member, after those before it. */
  take(signal: Signal): void {
    this.work = this.work.then(() => this.apply(signal)).catch((error: unknown) => this.broken(error));
  }

  /** A new generation of either side. */
  renew(ice: Ice): void {
    if (ice.iceServers) this.connection.setConfiguration(configuration(ice));
    this.negotiation.repeat();
  }

  /** Begin anew: the hub could not pass on a signal. */
  undelivered(): void {
    this.recovery.broken();
  }

  /** Look for new paths now. */
  seekPaths(): void {
    this.recovery.now();
  }

  /** As `seekPaths`, unless there is one. */
  seekPathsIfLost(): void {
    if (this.state !== "connected" && this.state !== "new") this.recovery.now();
  }

  private async apply(signal: Signal): Promise<void> {
    if (this.state === "closed") return;
    if (signal.type === "candidate") return this.negotiation.candidates(signal.candidates);
    if (signal.type === "end-of-candidates") return this.negotiation.candidates([]);
    await this.negotiation.describe(signal);
    this.host.changed();
  }

  private async restart(): Promise<void> {
    await this.host.restart();
    if (this.state !== "closed") this.connection.restartIce();
  }

  private stateChanged(): void {
    this.recovery.changed(this.state);
    this.host.changed();
  }

  private received(stream: MediaStream): void {
    this.streams.set(stream.id, stream);
    stream.onremovetrack = () => {
      if (!stream.getTracks().length) this.streams.delete(stream.id);
      this.host.changed();
    };
    this.host.changed();
  }

  /** A description could not be made or taken: a new generation, with everything said anew, may do. */
  private broken(error: unknown): void {
    if (this.state === "closed") return;
    console.debug("a negotiation failed", error);
    this.recovery.broken();
  }
}

function configuration({ iceServers = [], iceTransportPolicy = "all" }: Ice): RTCConfiguration {
  return { iceServers, iceTransportPolicy };
}

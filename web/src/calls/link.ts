// The peer connection with one other member of a call, or with the hub's media server.

import { CandidateBatch } from "./candidates";
import { IceRestart } from "./ice_restart";
import { labels } from "./labels";
import { Negotiation } from "./negotiation";
import type { Sent } from "./outgoing";
import type { Labelled, Relay } from "./relay";
import { Senders } from "./senders";
import type { Ice, Signal, Track } from "./wire";

export interface Role {
  /** Gives way when both offer at once. Exactly one of the two is. */
  polite: boolean;
  /** Makes the first offer. */
  begins: boolean;
  /** Says nothing before `release`: the other member has not joined yet. */
  waits?: boolean;
}

export interface Host {
  send(signal: Signal): void;
  /** Begin a new generation of my part in the call. */
  restart(): Promise<void>;
  /** There is no path between the two. */
  hopeless(reason: "ice_failed" | "ice_timeout"): void;
  changed(): void;
}

export class Link implements Relay {
  /** What comes from the other member, by the ids of the streams. */
  readonly streams = new Map<string, MediaStream>();

  private readonly connection: RTCPeerConnection;
  private readonly negotiation: Negotiation;
  private readonly candidates: CandidateBatch;
  private readonly recovery: IceRestart;
  private readonly senders: Senders;
  private waits: boolean;
  private work: Promise<void> = Promise.resolve();

  /** `born` is the generation that it begins with: older signals were for a connection before it. */
  constructor(
    ice: Ice,
    readonly role: Role,
    readonly born: number,
    private readonly host: Host,
  ) {
    this.waits = role.waits ?? false;
    this.connection = new RTCPeerConnection(configuration(ice));
    this.senders = new Senders(this.connection);
    this.candidates = new CandidateBatch((signal) => this.say(signal));
    this.negotiation = new Negotiation(this.connection, role.polite, role.begins, (signal) => this.say(signal));
    this.recovery = new IceRestart(role.polite, () => this.restart(), (reason) => host.hopeless(reason));
    this.negotiation.failed = (error) => this.broken(error);
    this.connection.onicecandidate = ({ candidate }) => this.candidates.add(candidate);
    this.connection.onconnectionstatechange = () => this.stateChanged();
    this.connection.ontrack = ({ streams }) => streams[0] && this.received(streams[0]);
    if (!this.waits) this.recovery.begin();
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

  send(sent: readonly Sent[], flowing: boolean): void {
    this.senders.set(sent, flowing);
  }

  section(track: MediaStreamTrack): string | null {
    return this.senders.section(track);
  }

  get labelled(): Labelled[] {
    const known = labels(this.connection.currentRemoteDescription?.sdp ?? "");
    return this.connection.getTransceivers().flatMap(({ mid, receiver }) => {
      const label = known.get(mid ?? "");
      return label ? [{ ...label, receiver }] : [];
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

  /** The other member has joined: say what was kept back, the candidates found so far in the offer itself. */
  release(): void {
    this.waits = false;
    this.negotiation.repeat();
    if (this.connection.iceGatheringState === "complete") this.say({ type: "end-of-candidates" });
    this.recovery.begin();
  }

  /** Take a signal of the other member, after those before it. */
  take(signal: Signal): void {
    this.work = this.work.then(() => this.apply(signal)).catch((error: unknown) => this.broken(error));
  }

  /**
   * Whether an offer comes from another peer connection than this one is with, which each has a certificate of its own:
   * the page of the other member was loaded anew. Not if it is ignored here; they take the offer that stands.
   */
  isReplacedBy(signal: Signal): boolean {
    const known = certificates(this.connection.currentRemoteDescription?.sdp);
    const isOther = signal.type === "offer" && known !== "" && certificates(signal.sdp) !== known;
    return isOther && !this.negotiation.ignoresOffers;
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

  seekPaths(): void {
    this.recovery.now();
  }

  seekPathsIfLost(): void {
    if (this.state !== "connected" && this.state !== "new") this.recovery.now();
  }

  /** Before `release` nothing is said: what is known then is in the offer. */
  private say(signal: Signal): void {
    if (!this.waits) this.host.send(signal);
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

export function configuration({ iceServers = [], iceTransportPolicy = "all" }: Ice): RTCConfiguration {
  return { iceServers, iceTransportPolicy };
}

/** The fingerprints of the certificates in a description. */
function certificates(sdp = ""): string {
  return [...new Set(sdp.match(/^a=fingerprint:.*$/gim))].join();
}

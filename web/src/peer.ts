// The media of a call: one RTCPeerConnection, and its signals through the hub, numbered and in order.

import type { Hub } from "./hub";
import { HubError } from "./hub_error";

const PAUSE_MS = 1_000;

export type Signal =
  | { type: "offer" | "answer"; sdp: string }
  | { type: "candidate"; candidates: RTCIceCandidateInit[] }
  | { type: "end-of-candidates" };

export class Peer {
  /** Called when the media cannot get through. */
  failed: () => void = () => {};
  /** Called with what the other person sends. */
  received: (stream: MediaStream) => void = () => {};

  private readonly connection: RTCPeerConnection;
  private readonly early: RTCIceCandidateInit[] = [];
  private readonly outgoing: { seq: number; signal: Signal }[] = [];
  private lastSeq = 0;
  private sending = false;
  private work: Promise<void> = Promise.resolve();

  constructor(
    private readonly hub: Hub,
    private readonly callId: string,
    iceServers: RTCIceServer[],
    media: MediaStream,
  ) {
    this.connection = new RTCPeerConnection({ iceServers });
    for (const track of media.getTracks()) this.connection.addTrack(track, media);
    this.connection.ontrack = ({ streams }) => streams[0] && this.received(streams[0]);
    this.connection.onicecandidate = ({ candidate }) => this.found(candidate);
    this.connection.onconnectionstatechange = () => this.connection.connectionState === "failed" && this.failed();
  }

  close(): void {
    this.connection.onconnectionstatechange = null;
    this.connection.close();
    this.outgoing.length = 0;
  }

  /** Make the offer. The caller does, once the other person has accepted. */
  async offer(): Promise<void> {
    await this.connection.setLocalDescription();
    this.describe();
  }

  /** Take a signal of the other side, after those before it. */
  take(signal: Signal): void {
    this.work = this.work.then(() => this.apply(signal)).catch(() => this.failed());
  }

  /** Send what the hub has not taken yet: it says after a reconnect which number was the last. */
  resume(lastTaken: number): void {
    while (this.outgoing[0] && this.outgoing[0].seq <= lastTaken) this.outgoing.shift();
    void this.send();
  }

  private async apply(signal: Signal): Promise<void> {
    if (signal.type === "candidate") return this.add(signal.candidates);
    if (signal.type === "end-of-candidates") return;
    await this.connection.setRemoteDescription(signal);
    await this.add(this.early.splice(0));
    if (signal.type === "answer") return;
    await this.connection.setLocalDescription();
    this.describe();
  }

  private async add(candidates: RTCIceCandidateInit[]): Promise<void> {
    if (!this.connection.remoteDescription) return void this.early.push(...candidates);
    for (const candidate of candidates) await this.connection.addIceCandidate(candidate);
  }

  private describe(): void {
    const description = this.connection.localDescription;
    if (description) this.queue({ type: description.type as "offer" | "answer", sdp: description.sdp });
  }

  private found(candidate: RTCIceCandidate | null): void {
    if (candidate) this.queue({ type: "candidate", candidates: [candidate.toJSON()] });
    else this.queue({ type: "end-of-candidates" });
  }

  private queue(signal: Signal): void {
    this.outgoing.push({ seq: ++this.lastSeq, signal });
    void this.send();
  }

  /** One at a time: the hub refuses a number that comes before the one below it. */
  private async send(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    try {
      for (let next = this.outgoing[0]; next; next = this.outgoing[0]) {
        await this.hub.ask("call:signal", { callId: this.callId, ...next });
        if (this.outgoing[0] === next) this.outgoing.shift();
      }
    } catch (error) {
      // If the connection was lost, `resume` goes on; if the call is over, its end is on the way.
      const again = error instanceof HubError && error.temporary && this.hub.ready;
      if (again) setTimeout(() => void this.send(), error.retryAfterMs ?? PAUSE_MS);
    } finally {
      this.sending = false;
    }
  }
}

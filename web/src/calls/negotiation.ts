// Perfect negotiation (W3C, WebRTC 1.0, 10.7): both sides may offer at any time, and the polite one gives way.

import type { Description } from "./wire";

const PATIENCE_MS = 2_000; // for the offer of the side that begins; nobody waits for ever for one that got lost

export class Negotiation {
  /** Called when something does not fit: the connection is of no use as it is. */
  failed: (error: unknown) => void = () => {};

  private offering = false;
  private ignoring = false;
  private answering = false;
  /** Whether the other side makes the first offer, and has not yet. */
  private waiting: boolean;
  private wanted = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly connection: RTCPeerConnection,
    private readonly polite: boolean,
    begins: boolean,
    private readonly send: (description: Description) => void,
  ) {
    this.waiting = !begins;
    connection.onnegotiationneeded = () => this.needed();
    if (this.waiting) this.timer = setTimeout(() => this.waitNoMore(), PATIENCE_MS);
  }

  close(): void {
    clearTimeout(this.timer);
    this.connection.onnegotiationneeded = null;
  }

  /** Take a description of the other side. Not while another is being taken. */
  async describe(description: Description): Promise<void> {
    const isStable = this.connection.signalingState === "stable" || this.answering;
    const isOffer = description.type === "offer";
    this.ignoring = isOffer && !this.polite && (this.offering || !isStable);
    if (this.ignoring) return;
    // Who offers the same again, under a new generation, is answered twice.
    if (!isOffer && this.connection.signalingState !== "have-local-offer") return;
    this.answering = !isOffer;
    try {
      await this.connection.setRemoteDescription(description);
    } finally {
      this.answering = false;
    }
    if (!isOffer) return;
    this.waiting = this.wanted = false; // the browser asks again for what the answer leaves open
    clearTimeout(this.timer);
    await this.connection.setLocalDescription();
    this.tell();
  }

  /** Take candidates of the other side; none: there are no more. */
  async candidates(found: readonly RTCIceCandidateInit[]): Promise<void> {
    try {
      if (!found.length) await this.connection.addIceCandidate();
      for (const candidate of found) await this.connection.addIceCandidate(candidate);
    } catch (error) {
      // Those of an offer that was ignored, or of an ICE generation that is past, belong to nothing.
      if (!this.ignoring) console.debug("a candidate was not taken", error);
    }
  }

  /** Offer once more what is offered: under the last generation the hub may have dropped it, or its answer. */
  repeat(): void {
    if (this.connection.signalingState === "have-local-offer" && !this.offering) this.tell();
  }

  private needed(): void {
    if (this.waiting) this.wanted = true;
    else void this.offer();
  }

  private waitNoMore(): void {
    this.waiting = false;
    if (this.wanted) void this.offer();
  }

  private async offer(): Promise<void> {
    try {
      this.offering = true;
      await this.connection.setLocalDescription();
      this.tell();
    } catch (error) {
      if (this.connection.signalingState !== "closed") this.failed(error);
    } finally {
      this.offering = false;
    }
  }

  private tell(): void {
    const description = this.connection.localDescription;
    if (description) this.send({ type: description.type as Description["type"], sdp: description.sdp });
  }
}

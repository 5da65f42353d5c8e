// Perfect negotiation (W3C, WebRTC 1.0, 10.7): both sides may offer at any time, and the polite one gives way.
//
// It does so without a rollback: after one, Chromium (seen with 156) decodes what it receives and shows none of it, for as
// long as the connection lives. So the polite side sends an offer without having set it, and sets it when the answer is
// there; an offer that comes instead finds it stable, and its own is forgotten. What it costs is that the polite side
// looks for candidates one round trip later.

import type { Description } from "./wire";

const PATIENCE_MS = 2_000; // for the offer of the side that begins; nobody waits for ever for one that got lost

export class Negotiation {
  /** Called when something does not fit: the connection is of no use as it is. */
  failed: (error: unknown) => void = () => {};

  private offering = false;
  private ignoring = false;
  /** An offer that was sent and not set. Only the polite side has one. */
  private unset: Description | null = null;
  /** How many offers of the other side were taken. */
  private taken = 0;
  /** Whether the other side makes the first offer, and has not yet. */
  private waiting: boolean;
  private wanted = false;
  /** Whether there is to be another offer after the answer to this one. */
  private more = false;
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

  /** Whether an offer of the other side would be ignored now: mine stands, or is being set, and I am not polite. */
  get ignoresOffers(): boolean {
    return !this.polite && (this.offering || this.connection.signalingState !== "stable");
  }

  close(): void {
    clearTimeout(this.timer);
    this.connection.onnegotiationneeded = null;
  }

  /** Take a description of the other side. Not while another is being taken. */
  async describe(description: Description): Promise<void> {
    if (description.type === "answer") return this.answered(description);
    this.ignoring = this.ignoresOffers;
    if (this.ignoring) return;
    this.unset = null; // the browser asks again for what the answer leaves open
    this.taken += 1;
    this.waiting = this.wanted = false;
    clearTimeout(this.timer);
    await this.connection.setRemoteDescription(description);
    await this.connection.setLocalDescription();
    this.send(described(this.connection.localDescription));
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
    if (this.unset) this.send(this.unset);
    else if (this.connection.signalingState === "have-local-offer") this.send(described(this.connection.localDescription));
  }

  /** Who offered the same again, under a new generation, is answered twice; and an offer that was forgotten may be, too. */
  private async answered(answer: Description): Promise<void> {
    const { unset } = this;
    if (unset) {
      this.unset = null;
      await this.connection.setLocalDescription(unset);
    }
    if (this.connection.signalingState === "have-local-offer") await this.connection.setRemoteDescription(answer);
    if (!this.more) return;
    this.more = false;
    void this.offer();
  }

  /** Offer although nothing has changed here: the other side has something new to answer. */
  again(): void {
    if (this.offering || this.connection.signalingState !== "stable") this.more = true;
    else void this.offer();
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
    this.offering = true;
    try {
      if (this.polite) await this.offerUnset();
      else await this.offerSet();
    } catch (error) {
      if (this.connection.signalingState !== "closed") this.failed(error);
    } finally {
      this.offering = false;
    }
  }

  private async offerSet(): Promise<void> {
    await this.connection.setLocalDescription();
    this.send(described(this.connection.localDescription));
  }

  private async offerUnset(): Promise<void> {
    const before = this.taken;
    const offer = described(await this.connection.createOffer());
    if (this.taken > before) return; // it is older than the other's, and the browser asks again
    this.unset = offer;
    this.send(offer);
  }
}

function described(description: RTCSessionDescriptionInit | null): Description {
  return { type: description?.type as Description["type"], sdp: description?.sdp ?? "" };
}

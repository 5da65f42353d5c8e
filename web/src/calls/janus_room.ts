// A video room of Janus: one peer connection for what is sent into it, and one for what comes from all others.
// Source: janus.conf.meetecho.com, "VideoRoom". The hub's side of it: signaling/media/janus.py.

import { HubError } from "../hub_error";
import { IceRestart } from "./ice_restart";
import { JanusPublisher } from "./janus_publisher";
import { JanusSession } from "./janus_session";
import { JanusSubscriber } from "./janus_subscriber";
import type { Sent } from "./outgoing";
import type { Labelled, Relay } from "./relay";
import type { Ice, Line, MediaWay } from "./wire";

const PLUGIN = "janus.plugin.videoroom";
const TRY_MS = 20_000; // a dozen messages and two connections; a try that is broken off gives nothing
const RENEW_MS = 300_000; // a token lasts ten minutes, and each request carries it

interface Connected {
  session: JanusSession;
  publisher: JanusPublisher;
  subscriber: JanusSubscriber;
}

export class JanusRoom implements Relay {
  private sent: { tracks: readonly Sent[]; flowing: boolean } = { tracks: [], flowing: true };
  private connected: Connected | null = null;
  private closed = false;
  private readonly recovery: IceRestart;
  private readonly renewal: ReturnType<typeof setInterval>;

  constructor(
    private readonly line: Line,
    private readonly callId: string,
    private readonly me: string,
    private readonly ice: Ice,
    private readonly changed: () => void,
  ) {
    // Nothing else brings the others, so it is never given up.
    this.recovery = new IceRestart(false, () => this.joinAgain(), () => this.recovery.now(), TRY_MS);
    this.recovery.begin();
    this.renewal = setInterval(() => void this.renew().catch(() => {}), RENEW_MS);
    void this.join().catch(() => this.recovery.broken());
  }

  /** Of what is sent, unless what comes is broken. */
  get state(): RTCPeerConnectionState {
    if (this.closed) return "closed";
    const coming = this.connected?.subscriber.connection.connectionState;
    if (coming === "disconnected" || coming === "failed") return coming;
    return this.connected?.publisher.connection.connectionState ?? "new";
  }

  get labelled(): Labelled[] {
    return this.connected?.subscriber.labelled ?? [];
  }

  send(tracks: readonly Sent[], flowing: boolean): void {
    this.sent = { tracks, flowing };
    this.connected?.publisher.senders.set(tracks, flowing);
  }

  section(track: MediaStreamTrack): string | null {
    return this.connected?.publisher.senders.section(track) ?? null;
  }

  /** Nothing: Janus itself tells of what there is. */
  want(): void {}

  seekPaths(): void {
    this.recovery.now();
  }

  seekPathsIfLost(): void {
    if (this.state !== "connected" && this.state !== "new") this.recovery.now();
  }

  close(): void {
    this.closed = true;
    clearInterval(this.renewal);
    this.recovery.close();
    this.leave();
  }

  /** Throws HubError and JanusError. */
  private async join(): Promise<void> {
    const { url, tokens } = await this.way();
    const session = await JanusSession.open(url, tokens.requests);
    try {
      const [sending, receiving] = await Promise.all([session.attach(PLUGIN), session.attach(PLUGIN)]);
      if (this.closed) return session.close();
      this.leave();
      const subscriber = new JanusSubscriber(receiving, { room: this.callId, ice: this.ice, token: tokens.room });
      const me = { room: this.callId, id: this.me, ice: this.ice, token: tokens.room };
      const publisher = new JanusPublisher(sending, me, subscriber);
      this.connected = { session, publisher, subscriber };
      for (const one of [publisher, subscriber]) {
        one.changed = () => this.stateChanged();
        one.broken = () => this.recovery.broken();
      }
      session.lost = () => this.recovery.broken();
      publisher.senders.set(this.sent.tracks, this.sent.flowing);
    } catch (error) {
      session.close();
      throw error;
    }
  }

  private async joinAgain(): Promise<void> {
    this.leave();
    try {
      await this.join();
    } catch (error) {
      if (error instanceof HubError) throw error; // it is away itself; that Janus does not answer is a try that failed
    }
  }

  private leave(): void {
    const { connected } = this;
    this.connected = null;
    connected?.publisher.close();
    connected?.subscriber.close();
    connected?.session.close();
  }

  private async renew(): Promise<void> {
    const { tokens } = await this.way();
    if (this.connected) this.connected.session.token = tokens.requests;
  }

  private async way(): Promise<{ url: string; tokens: { requests: string; room: string } }> {
    const { url = "", token = "" } = await this.line.ask<MediaWay>("call:engine", { callId: this.callId });
    const [requests = "", room = ""] = token.split(" ");
    return { url, tokens: { requests, room } };
  }

  private stateChanged(): void {
    this.recovery.changed(this.state);
    this.changed();
  }
}

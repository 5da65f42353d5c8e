// What is sent into a video room of Janus.

import type { JanusHandle, Said } from "./janus_session";
import type { Feed } from "./janus_subscriber";
import { configuration } from "./link";
import { Senders } from "./senders";
import type { Ice } from "./wire";

/** Who sends into which room. */
interface Participant {
  room: string;
  id: string;
  ice: Ice;
  token: string;
}

interface RoomEvent {
  publishers?: Feed[];
  /** `ok` is an answer to oneself. */
  unpublished?: string;
  leaving?: string;
}

/** Hears of what the others send. */
interface Audience {
  feeds(published: readonly Feed[]): void;
  gone(userId: string): void;
}

export class JanusPublisher {
  readonly connection: RTCPeerConnection;
  readonly senders: Senders;
  changed: () => void = () => {};
  broken: (error: unknown) => void = () => {};

  private joined = false;
  private work: Promise<void> = Promise.resolve();

  /** Joins with the first tracks. */
  constructor(
    private readonly handle: JanusHandle,
    private readonly me: Participant,
    private readonly audience: Audience,
  ) {
    this.connection = new RTCPeerConnection(configuration(me.ice));
    this.senders = new Senders(this.connection);
    this.connection.onicecandidate = ({ candidate }) => handle.trickle(candidate);
    this.connection.onconnectionstatechange = () => this.changed();
    this.connection.onnegotiationneeded = () => {
      this.work = this.work.then(() => this.offer()).catch((error: unknown) => this.failed(error));
    };
    handle.told = ({ data }: Said<unknown>) => this.heard(data as RoomEvent);
    handle.ended = () => this.failed("Janus has ended it");
  }

  close(): void {
    this.handle.told = this.handle.ended = () => {};
    this.connection.onnegotiationneeded = this.connection.onconnectionstatechange = null;
    this.connection.close();
  }

  private async offer(): Promise<void> {
    await this.connection.setLocalDescription();
    const { room, id, token } = this.me;
    const request = this.joined
      ? { request: "configure" }
      : { request: "joinandconfigure", ptype: "publisher", room, id, token };
    const { data, jsep } = await this.handle.ask<RoomEvent>(request, this.connection.localDescription);
    this.joined = true;
    if (jsep) await this.connection.setRemoteDescription(jsep);
    this.heard(data);
    this.changed();
  }

  private heard({ publishers, unpublished, leaving }: RoomEvent): void {
    if (publishers) this.audience.feeds(publishers);
    const gone = leaving ?? unpublished;
    if (gone && gone !== "ok") this.audience.gone(gone);
  }

  private failed(error: unknown): void {
    if (this.connection.connectionState !== "closed") this.broken(error);
  }
}

// What comes from the others in a video room of Janus: all of it in one peer connection, in which Janus makes the offers.

import type { JanusHandle, Said } from "./janus_session";
import { configuration } from "./link";
import type { Labelled } from "./relay";
import type { Ice } from "./wire";

/** What somebody sends. */
export interface Feed {
  id: string;
  streams?: { mid: string; type: string; disabled?: boolean }[];
}

/** A section of the offer, and what is in it. */
interface Section {
  mid: string;
  active?: boolean;
  feed_id?: string;
  feed_mid?: string;
}

interface Offered {
  streams?: Section[];
}

interface Where {
  room: string;
  ice: Ice;
  token: string;
}

export class JanusSubscriber {
  readonly connection: RTCPeerConnection;
  changed: () => void = () => {};
  broken: (error: unknown) => void = () => {};

  private readonly published = new Map<string, Feed>();
  private sections: Section[] = [];
  private joined = false;
  private work: Promise<void> = Promise.resolve();

  constructor(
    private readonly handle: JanusHandle,
    private readonly where: Where,
  ) {
    this.connection = new RTCPeerConnection(configuration(where.ice));
    this.connection.onicecandidate = ({ candidate }) => handle.trickle(candidate);
    this.connection.onconnectionstatechange = () => this.changed();
    handle.told = (said: Said<unknown>) => this.then(() => this.answer(said as Said<Offered>));
    handle.ended = () => this.failed("Janus has ended it");
  }

  get labelled(): Labelled[] {
    const sections = new Map(this.sections.map((one) => [one.mid, one]));
    return this.connection.getTransceivers().flatMap(({ mid, receiver }) => {
      const { active, feed_id: userId, feed_mid: section } = sections.get(mid ?? "") ?? {};
      return active && userId ? [{ userId, trackId: `${userId}/${section}`, receiver }] : [];
    });
  }

  close(): void {
    this.handle.told = this.handle.ended = () => {};
    this.connection.onconnectionstatechange = null;
    this.connection.close();
  }

  /** Have what these send, who are new or send something else than before. */
  feeds(changed: readonly Feed[]): void {
    for (const feed of changed) this.published.set(feed.id, feed);
    this.then(() => this.update());
  }

  /** Somebody sends nothing any more. Janus takes it out of the offer by itself, which it may do late. */
  gone(userId: string): void {
    this.published.delete(userId);
    this.sections = this.sections.filter((one) => one.feed_id !== userId);
    this.changed();
  }

  /** Have everything that is sent and not had yet, and nothing that is not sent any more. */
  private async update(): Promise<void> {
    const sent = [...this.published.values()].flatMap(({ id, streams = [] }) =>
      streams.filter(({ type, disabled }) => !disabled && type !== "data").map(({ mid }) => ({ feed: id, mid })),
    );
    const had = this.sections.flatMap(({ active, feed_id: feed, feed_mid: mid }) => (active && feed && mid ? [{ feed, mid }] : []));
    const subscribe = sent.filter((one) => !had.some((other) => isSame(one, other)));
    const unsubscribe = had.filter((one) => this.published.has(one.feed) && !sent.some((other) => isSame(one, other)));
    if (!subscribe.length && !unsubscribe.length) return;
    const { room, token } = this.where;
    const request = this.joined
      ? { request: "update", ...(subscribe.length && { subscribe }), ...(unsubscribe.length && { unsubscribe }) }
      : { request: "join", ptype: "subscriber", room, token, streams: subscribe };
    const said = await this.handle.ask<Offered>(request);
    this.joined = true;
    await this.answer(said);
  }

  private async answer({ data, jsep }: Said<Offered>): Promise<void> {
    this.sections = data.streams ?? this.sections;
    if (jsep) {
      await this.connection.setRemoteDescription(jsep);
      await this.connection.setLocalDescription();
      await this.handle.ask({ request: "start" }, this.connection.localDescription);
    }
    this.changed();
  }

  private then(act: () => Promise<void>): void {
    this.work = this.work.then(act).catch((error: unknown) => this.failed(error));
  }

  private failed(error: unknown): void {
    if (this.connection.connectionState !== "closed") this.broken(error);
  }
}

interface Stream {
  feed: string;
  mid: string;
}

function isSame(one: Stream, other: Stream): boolean {
  return one.feed === other.feed && one.mid === other.mid;
}

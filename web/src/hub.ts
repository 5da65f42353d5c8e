// The socket to the hub: always a fresh token, every event acknowledged, and back by itself after whatever happened.

import { io, type Socket } from "socket.io-client";
import { HubError } from "./hub_error";
import type { Session } from "./session";

const ANSWER_MS = 15_000;
const REFUSED_MS = 2_000;

type Answer = { ok: true; data: unknown } | { ok: false; error: unknown };

export class Hub {
  /** Whether events are served. Not yet so after CONNECT: the hub says `session:ready` when it has joined the rooms. */
  ready = false;
  private readonly socket: Socket;
  private closed = false;
  /** Why the staff has closed the connection, if they have. */
  private closedFor = "";

  constructor(
    private readonly session: Session,
    private readonly shown: (text: string) => void,
  ) {
    this.socket = io({
      // Long-polling needs a balancer that keeps a client on its node; WebSocket works with any.
      transports: ["websocket"],
      auth: (give) => void this.credentials().then(give),
      autoConnect: false,
    });
    this.socket.on("session:ready", () => this.becomeReady());
    this.socket.on("session:expiring", () => void this.goOn());
    this.socket.on("session:revoked", () => session.end("This session was ended elsewhere."));
    this.socket.on("hub:disconnected", (told: { reason: string }) => {
      this.closedFor = told.reason;
    });
    this.socket.on("disconnect", () => this.lost());
    this.socket.on("connect_error", (error: Error & { data?: unknown }) => this.refused(error));
  }

  /** Connect. Listen first: what a connection tells at its beginning is told once. */
  open(): void {
    this.shown("connecting…");
    this.socket.connect();
  }

  close(): void {
    this.closed = true;
    this.socket.disconnect();
    this.socket.off();
    this.shown("");
  }

  /** Hear an event of the hub. What is given back ends that. */
  on<T>(event: string, listener: (payload: T) => void): () => void {
    this.socket.on(event, listener);
    return () => this.socket.off(event, listener);
  }

  /** As `on`, after every connect and reconnect: the hub does not repeat what happened meanwhile, so read it anew. */
  onReady(listener: () => void): () => void {
    if (this.ready) listener();
    return this.on("session:ready", listener);
  }

  /** As `on`, when the connection is lost. */
  onLost(listener: () => void): () => void {
    return this.on("disconnect", listener);
  }

  /** Send an event and give the data of its acknowledgement. Throws HubError; nothing is kept for a later connection. */
  async ask<T>(event: string, payload: object): Promise<T> {
    if (!this.ready) throw HubError.offline();
    let answer: Answer;
    try {
      answer = await this.socket.timeout(ANSWER_MS).emitWithAck(event, payload);
    } catch {
      throw HubError.offline(); // no answer in time, or the connection went
    }
    if (!answer.ok) throw HubError.of(answer.error);
    return answer.data as T;
  }

  /** What the handshake carries. Never fails: a promise that gives nothing would leave the client waiting for ever. */
  private async credentials(): Promise<object> {
    try {
      return { token: await this.session.token(), device: "page" };
    } catch {
      return {};
    }
  }

  /** Give the hub a newer token for this connection, whose own runs out. */
  private async goOn(): Promise<void> {
    this.session.distrust(); // by this machine's clock it may be good for a moment more
    try {
      await this.ask("auth:refresh", { token: await this.session.token() });
    } catch {
      // Then the hub closes the connection, and the client comes back with a token of that moment.
    }
  }

  private becomeReady(): void {
    this.ready = true;
    this.shown("connected");
  }

  private lost(): void {
    this.ready = false;
    this.shown(this.closedFor ? `closed by the staff (${this.closedFor}); load the page again` : "reconnecting…");
  }

  /** A lost transport is tried again by the client; a refused handshake is not, so that is ours to do. */
  private refused(error: Error & { data?: unknown }): void {
    this.shown("reconnecting…");
    if (this.socket.active) return;
    const refusal = HubError.of(error.data);
    if (refusal.code === "suspended") return this.session.end(refusal.message);
    this.session.distrust();
    setTimeout(() => this.closed || this.socket.connect(), refusal.retryAfterMs ?? REFUSED_MS);
  }
}

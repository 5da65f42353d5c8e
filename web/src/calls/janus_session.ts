// A session with Janus over its WebSocket: handles of a plugin, requests with their answers, and what it says by itself.
// Source: janus.conf.meetecho.com, "WebSockets Interface".

import type { Description } from "./wire";

const SUBPROTOCOL = "janus-protocol";
const ANSWER_MS = 10_000;
const KEEPALIVE_MS = 25_000; // Janus ends a session after 60 s of silence

/** Janus refuses something, or is not there. */
export class JanusError extends Error {}

/** What the plugin of a handle says. */
export interface Said<T> {
  data: T;
  jsep: Description | null;
}

interface Message {
  janus: string;
  transaction?: string;
  sender?: number;
  data?: { id: number };
  plugindata?: { data: { error?: string } };
  jsep?: Description;
  error?: { reason: string };
}

interface Waiting {
  until: string;
  resolve(message: Message): void;
  reject(error: JanusError): void;
}

export class JanusSession {
  /** Called once when it is over by itself. */
  lost: () => void = () => {};

  private id: number | undefined;
  private requests = 0;
  private closed = false;
  private readonly waiting = new Map<string, Waiting>();
  private readonly handles = new Map<number, JanusHandle>();
  private readonly keepalive: ReturnType<typeof setInterval>;

  private constructor(
    private readonly socket: WebSocket,
    /** Goes with each request, and runs out. */
    public token: string,
  ) {
    socket.onmessage = ({ data }) => this.take(JSON.parse(String(data)) as Message);
    socket.onclose = () => this.over();
    this.keepalive = setInterval(() => void this.ask({ janus: "keepalive" }, "ack").catch(() => {}), KEEPALIVE_MS);
  }

  /** Throws JanusError. */
  static async open(url: string, token: string): Promise<JanusSession> {
    const socket = new WebSocket(url, SUBPROTOCOL);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new JanusError("Janus does not answer."));
    });
    const session = new JanusSession(socket, token);
    session.id = (await session.ask({ janus: "create" }, "success")).data?.id;
    return session;
  }

  async attach(plugin: string): Promise<JanusHandle> {
    const id = (await this.ask({ janus: "attach", plugin }, "success")).data?.id ?? 0;
    const handle = new JanusHandle(id, (request, until) => this.ask({ ...request, handle_id: id }, until));
    this.handles.set(id, handle);
    return handle;
  }

  /** Idempotent. */
  close(): void {
    this.lost = () => {};
    if (this.socket.readyState === WebSocket.OPEN) this.say({ janus: "destroy" }); // so that the name is free at once
    this.socket.close();
    this.over();
  }

  private ask(request: object, until: string): Promise<Message> {
    return new Promise((resolve, reject) => {
      if (this.closed) return reject(new JanusError("The session with Janus is over."));
      const transaction = this.say(request);
      const timer = setTimeout(() => done(() => reject(new JanusError("Janus does not answer."))), ANSWER_MS);
      const done = (act: () => void) => {
        clearTimeout(timer);
        this.waiting.delete(transaction);
        act();
      };
      this.waiting.set(transaction, {
        until,
        resolve: (message) => done(() => resolve(message)),
        reject: (error) => done(() => reject(error)),
      });
    });
  }

  private say(request: object): string {
    this.requests += 1;
    const transaction = String(this.requests);
    const session = this.id === undefined ? {} : { session_id: this.id };
    this.socket.send(JSON.stringify({ ...request, ...session, transaction, token: this.token }));
    return transaction;
  }

  private take(message: Message): void {
    const waiting = this.waiting.get(message.transaction ?? "");
    const refusal = message.error?.reason ?? message.plugindata?.data.error;
    if (waiting && refusal) waiting.reject(new JanusError(refusal));
    else if (waiting?.until === message.janus) waiting.resolve(message);
    else if (message.janus === "timeout") this.over();
    else if (!waiting) this.handles.get(message.sender ?? 0)?.take(message);
  }

  private over(): void {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.keepalive);
    this.socket.onclose = this.socket.onmessage = null;
    for (const waiting of [...this.waiting.values()]) waiting.reject(new JanusError("The session with Janus is over."));
    this.lost();
  }
}

/** A connection of its own to the plugin: one peer connection belongs to it. */
export class JanusHandle {
  /** Called with what the plugin says by itself. */
  told: (said: Said<unknown>) => void = () => {};
  /** Called when Janus has ended the peer connection, or the handle. */
  ended: () => void = () => {};

  constructor(
    private readonly id: number,
    private readonly request: (request: object, until: string) => Promise<Message>,
  ) {}

  /** Ask the plugin something. Throws JanusError. */
  async ask<T>(body: object, jsep: RTCSessionDescription | null = null): Promise<Said<T>> {
    return said(await this.request({ janus: "message", body, ...(jsep && { jsep }) }, "event"));
  }

  /** Pass on what `icecandidate` gives. */
  trickle(candidate: RTCIceCandidate | null): void {
    const found = candidate?.candidate ? candidate.toJSON() : { completed: true };
    void this.request({ janus: "trickle", candidate: found }, "ack").catch(() => {}); // its own checks find a way, too
  }

  take(message: Message): void {
    if (message.sender !== this.id) return;
    if (message.janus === "event") this.told(said(message));
    if (message.janus === "hangup" || message.janus === "detached") this.ended();
  }
}

function said<T>({ plugindata, jsep = undefined }: Message): Said<T> {
  return { data: plugindata?.data as T, jsep: jsep ?? null };
}

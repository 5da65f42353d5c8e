// The calls of one device: placing them, being rung, and keeping them through reconnects.

import { HubError } from "../hub_error";
import { newUlid } from "../ids";
import { Call, type Surroundings, type Watcher } from "./call";
import { KeptCall } from "./kept_call";
import type { Devices } from "./outgoing";
import { Returning } from "./returning";
import type { CallType, Change, Incoming, Line, Media, Placed, Track } from "./wire";

const PAUSE_MS = 1_000;

interface Leaving {
  event: "call:hangup" | "call:reject";
  reason?: string;
}

type Told<T> = T & { callId: string };

export class CallClient {
  private readonly calls = new Map<string, Call>();
  /** Calls that this device has left, and the hub may not know that yet. */
  private readonly left = new Map<string, Leaving>();
  private readonly around: Surroundings;
  private readonly kept = new KeptCall();
  /** What the page before this one was in; looked for once. */
  private found: Promise<string | null> | null = this.kept.found();

  private returning: Returning | null = null;

  constructor(line: Line, me: string, devices: Devices, watcher: Watcher) {
    this.around = {
      line,
      me,
      devices,
      watcher,
      leave: (event, callId, reason) => this.leave(callId, { event, ...(reason && { reason }) }),
      joined: (call) => this.kept.keep(call.id),
      forget: (call) => this.forget(call),
    };
    line.on<Incoming>("call:incoming", (incoming) => this.ring(incoming));
    this.hear<Change>("call:accepted", (call, told) => call.heard({ ...told, kind: "accepted" }));
    this.hear<Change>("call:state", (call, told) => call.heard(told));
    this.hear<Change>("call:signal", (call, told) => call.heard({ ...told, kind: "signal" }));
    this.hear<Media & { from: string; version: number }>("call:media", (call, { from, version, ...media }) =>
      call.heard({ version, from, kind: "media", media }),
    );
    this.hear<Change>("call:move", (call, told) => call.heard({ ...told, from: "", kind: "move" }));
    this.hear<{ streams: Track[]; recorded: boolean }>("call:tracks", (call, { streams, recorded }) =>
      call.streams(streams, recorded),
    );
    this.hear<{ reason: string }>("call:cancelled", (call, { reason }) => call.cancelled(reason));
    this.hear<{ reason: string }>("call:ended", (call, { reason }) => call.over(reason));
    line.onReady(() => this.resume());
  }

  /** Call somebody, or several. Camera and microphone first: nobody shall hear it ring for nothing. */
  async place(to: readonly string[], type: CallType): Promise<void> {
    const call = new Call(this.around, newUlid(), this.around.me, type);
    this.calls.set(call.id, call);
    call.learn(to.map((userId) => ({ userId, state: "ringing" })), 0);
    if (to.length > 1) call.becomeGroup();
    this.around.watcher.begun(call);
    try {
      await call.openMedia();
      if (call.isOver) return; // hung up while the browser asked for the camera
      const request = { to: to.length === 1 ? to[0] : to, type, callId: call.id };
      const placed = await this.around.line.ask<Placed>("call:initiate", request);
      this.placed(call, placed);
    } catch (error) {
      if (call.outgoing.user) void call.end(); // no answer does not mean that it rings nowhere
      else call.over("");
      throw error;
    }
  }

  /** Go on here with a call that was over here, because another device of mine has it. */
  async take(former: Call): Promise<void> {
    const call = new Call(this.around, former.id, former.initiator, former.type);
    this.calls.set(call.id, call);
    this.around.watcher.begun(call);
    try {
      await call.take();
    } catch (error) {
      call.over("");
      throw error;
    }
  }

  /** This device has another network: do not wait until the paths are seen to be broken. */
  networkChanged(): void {
    for (const call of this.calls.values()) call.networkChanged();
  }

  private placed(call: Call, placed: Placed): void {
    const isMine = placed.initiator === this.around.me;
    if (call.isOver) {
      // Hung up under an id that the hub did not know yet.
      if (!isMine) void this.leave(placed.callId, { event: "call:hangup" });
      return;
    }
    if (placed.state === "ended") return call.over(placed.reason ?? "");
    if (isMine) return call.join(placed);
    // Both called at once: the hub has made one call of the two, and the other person is its caller.
    this.calls.delete(call.id);
    this.calls.get(placed.callId)?.over(""); // it had begun to ring here
    call.id = placed.callId;
    call.initiator = placed.initiator;
    this.calls.set(call.id, call);
    call.join(placed);
    void call.sync(); // what came under the other call's id before this one knew it
  }

  private ring({ callId, version, initiator, type, members }: Incoming): void {
    if (this.calls.has(callId) || this.left.has(callId)) return;
    const call = new Call(this.around, callId, initiator, type);
    this.calls.set(callId, call);
    call.learn([{ userId: initiator, state: "joined" }, ...(members ?? [])], version);
    if (members) call.becomeGroup();
    // Lets the caller know. A node that stood still may ring late: then it is over, and rings no more.
    void this.around.line.ask("call:ringing", { callId }).catch((error: unknown) => {
      if (error instanceof HubError && !error.temporary) call.over(error.code);
    });
    this.around.watcher.begun(call);
  }

  private hear<T extends object>(event: string, listener: (call: Call, told: T) => void): void {
    this.around.line.on<Told<T>>(event, ({ callId, ...told }) => {
      const call = this.calls.get(callId);
      if (call) listener(call, told as unknown as T);
    });
  }

  private resume(): void {
    for (const callId of this.left.keys()) void this.sayGoodbye(callId);
    for (const call of this.calls.values()) void call.resume();
    void this.return();
  }

  /** Go on with the call that this tab was in before the page was loaded anew. */
  private async return(): Promise<void> {
    const callId = await this.found;
    this.found = null;
    if (callId !== null && !this.calls.has(callId)) {
      const call = new Call(this.around, callId, "", "audio");
      this.calls.set(callId, call);
      this.returning = new Returning(this.around, call);
    }
    await this.returning?.begin();
  }

  private leave(callId: string, leaving: Leaving): Promise<void> {
    this.left.set(callId, leaving);
    return this.sayGoodbye(callId);
  }

  /** Tell the hub, until it has answered: the others shall not wait until my lease is over. */
  private async sayGoodbye(callId: string): Promise<void> {
    const leaving = this.left.get(callId);
    if (!leaving || !this.around.line.ready) return; // said after the next connect
    const { event, ...reason } = leaving;
    try {
      await this.around.line.ask(event, { callId, ...reason });
    } catch (error) {
      if (error instanceof HubError && error.temporary) {
        setTimeout(() => void this.sayGoodbye(callId), error.retryAfterMs ?? PAUSE_MS);
        return;
      }
    }
    this.left.delete(callId); // also where the call is over already
  }

  private forget(call: Call): void {
    this.kept.drop(call.id);
    if (this.calls.get(call.id) === call) this.calls.delete(call.id);
  }
}

// Going on with a call in a page that was loaded anew: the connections to the others went with the one before.

import { HubError } from "../hub_error";
import type { Call, Surroundings } from "./call";
import type { Restarted, Snapshot } from "./wire";

const PAUSE_MS = 1_000;

export class Returning {
  private trying = false;
  private isShown = false;

  constructor(
    private readonly around: Surroundings,
    private readonly call: Call,
  ) {
    call.isKept = true;
  }

  /** Try until this device is in the call, or it is over; without the hub, until the next connect. Idempotent. */
  async begin(): Promise<void> {
    if (this.trying || this.call.joined) return;
    this.trying = true;
    await this.goOn().catch(() => {});
    this.trying = false;
    const isLost = !this.call.joined && !this.call.isOver;
    if (isLost && this.around.line.ready) setTimeout(() => void this.begin(), PAUSE_MS);
  }

  private async goOn(): Promise<void> {
    const { call } = this;
    const snapshot = await call.snapshot();
    if (!snapshot || call.isOver) return;
    if (snapshot.state === "ended") return call.over("");
    this.show(snapshot);
    if (!snapshot.mine) return call.over("moved"); // another device of mine took it meanwhile
    try {
      await this.join(snapshot);
    } catch (error) {
      if (!(error instanceof HubError)) await call.end("user_media_failed");
    }
  }

  private show(snapshot: Snapshot): void {
    const { call, around } = this;
    const mine = snapshot.members.find(({ userId }) => userId === around.me);
    call.initiator = snapshot.initiator;
    call.type = snapshot.type;
    call.learn(snapshot.members, snapshot.version);
    call.outgoing.restore(mine?.held ?? false, mine?.media);
    if (!this.isShown) around.watcher.begun(call);
    this.isShown = true;
  }

  /** Under a new generation: what was signalled before is of the one that is left, and worth nothing here. */
  private async join(snapshot: Snapshot): Promise<void> {
    const { call, around } = this;
    const request = { callId: call.id, gen: snapshot.gen };
    const [restarted] = await Promise.all([around.line.ask<Restarted>("call:restart", request), call.openMedia()]);
    call.join({ ...snapshot, ...restarted, version: snapshot.version }, true);
    call.numbered(restarted.version);
    await call.sending.tell();
  }
}

// Reading a call from the hub: after a connect, and when changes are missing.

import { HubError } from "../hub_error";
import type { Line, Member, Snapshot } from "./wire";

const PAUSE_MS = 1_000;

/**
 * The call, with what happened after the version `since`; tried again while the hub cannot answer. Null without a
 * connection, or when it is `over` meanwhile. Throws HubError if the hub knows of no such call any more.
 */
export async function read(line: Line, callId: string, since: number, over: () => boolean): Promise<Snapshot | null> {
  for (;;) {
    try {
      return await line.ask<Snapshot>("call:sync", { callId, sinceVersion: since });
    } catch (error) {
      if (!(error instanceof HubError) || !error.temporary) throw error;
      if (over() || !line.ready) return null;
      await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs ?? PAUSE_MS));
    }
  }
}

/** Why a call is over on a device that has no part in it, or has none any more (`had`). Null: it rings there. */
export function whyElsewhere(members: readonly Member[], me: string, had: boolean): string | null {
  const mine = members.find((one) => one.userId === me)?.state;
  if (mine === "joined") return had ? "moved" : "answered_elsewhere";
  if (mine === "declined") return "rejected";
  if (mine === "left" || had) return had ? "ice_timeout" : "invite_timeout";
  return null;
}

// The other members of a call, as far as this device has heard of them.

import type { Change, Media, Member } from "./wire";

export interface Party {
  userId: string;
  state: Member["state"];
  /** Generation of their part in the call. */
  gen: number;
  held: boolean;
  /** Their connection to the hub is gone, and may come back. Media may flow all the same. */
  away: boolean;
  media: Media | null;
  /** Of the last change of theirs that was told here. */
  version: number;
}

export class Parties {
  private readonly others = new Map<string, Party>();

  constructor(private readonly me: string) {}

  /** The others, in the order in which they came to the call. */
  all(): Party[] {
    return [...this.others.values()];
  }

  /** Those who are in it. */
  joined(): Party[] {
    return this.all().filter((one) => one.state === "joined");
  }

  of(userId: string): Party {
    const known = this.others.get(userId);
    if (known) return known;
    const party: Party = { userId, state: "ringing", gen: 0, held: false, away: false, media: null, version: 0 };
    this.others.set(userId, party);
    return party;
  }

  /** Take all of them as the hub lists them at a version of the call. What was told of somebody may be newer than that. */
  learn(members: readonly Member[], version: number): void {
    for (const { userId, state, gen = 0, held = false, away = false, media = null } of members) {
      if (userId === this.me) continue;
      const party = this.of(userId);
      if (party.version > version) continue;
      Object.assign(party, { state, gen, held, away, media });
    }
  }

  /** Take one change of one of them. */
  change({ kind, from, gen, members, media, version }: Change): void {
    if (kind === "invited") {
      for (const userId of members ?? []) if (userId !== this.me) Object.assign(this.of(userId), { state: "ringing", version });
    }
    if (!from || from === this.me) return;
    const party = this.of(from);
    party.version = version;
    party.gen = gen ?? party.gen;
    if (kind === "accepted") Object.assign(party, { state: "joined", away: false, held: false, media: null });
    if (kind === "declined" || kind === "left") party.state = kind;
    if (kind === "held" || kind === "unheld") party.held = kind === "held";
    if (kind === "away" || kind === "resumed" || kind === "moved") party.away = kind === "away";
    if (kind === "media") party.media = media ?? null;
  }
}

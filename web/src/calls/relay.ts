// A connection to a media server, whichever it is, as a call needs it.

import type { Label } from "./labels";
import type { Sent } from "./outgoing";
import type { Track } from "./wire";

/** What a media server sends here in a section, with whose it is. */
export type Labelled = Label & { receiver: RTCRtpReceiver };

export interface Relay {
  readonly state: RTCPeerConnectionState;
  /** What comes from the others. */
  readonly labelled: readonly Labelled[];
  /** Send these tracks and no others. Without `flowing` they stay agreed upon, and nothing of them is sent. */
  send(sent: readonly Sent[], flowing: boolean): void;
  /** The section in which a track is sent, once that is agreed upon. */
  section(track: MediaStreamTrack): string | null;
  /** Have these streams of the others, as the hub tells of them. */
  want(streams: readonly Track[]): void;
  /** Look for new paths now; `seekPathsIfLost`: unless there is one. */
  seekPaths(): void;
  seekPathsIfLost(): void;
  /** Idempotent. */
  close(): void;
}

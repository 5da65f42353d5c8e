// What this device sends into a call: camera and microphone, the screen, and what of it is muted.

import type { CallType, Media } from "./wire";

/** Where camera, microphone and screen come from. */
export interface Devices {
  open(type: CallType): Promise<MediaStream>;
  /** Whether camera and microphone can be opened without asking somebody. */
  areAllowed(type: CallType): Promise<boolean>;
  screen(): Promise<MediaStream>;
}

export interface Sent {
  track: MediaStreamTrack;
  stream: MediaStream;
}

export class Outgoing {
  user: MediaStream | null = null;
  screen: MediaStream | null = null;
  /** Hold: everything stays agreed upon, and nothing flows. */
  held = false;
  private readonly muted = { audio: false, video: false };

  isMuted(kind: "audio" | "video"): boolean {
    return this.muted[kind];
  }

  mute(kind: "audio" | "video", on: boolean): void {
    this.muted[kind] = on;
    this.applyMutes();
  }

  /** Be as one was before the page was loaded anew. The screen is not shared any more. */
  restore(held: boolean, media: Media | undefined): void {
    this.held = held;
    this.muted.audio = media?.audioMuted ?? false;
    this.muted.video = media?.videoMuted ?? false;
  }

  /** Have camera and microphone, or others than before. */
  have(user: MediaStream): void {
    this.user = user;
    this.applyMutes();
  }

  get sent(): Sent[] {
    const streams = [this.user, this.screen].filter((stream) => stream !== null);
    return streams.flatMap((stream) => stream.getTracks().map((track) => ({ track, stream })));
  }

  /** What the others are told of it. */
  get media(): Media {
    const streams: Media["streams"] = {};
    if (this.user) streams[this.user.id] = "usermedia";
    if (this.screen) streams[this.screen.id] = "screenshare";
    return { audioMuted: this.muted.audio, videoMuted: this.muted.video, screen: this.screen !== null, streams };
  }

  stop(): void {
    for (const { track } of this.sent) track.stop();
    this.user = this.screen = null;
  }

  private applyMutes(): void {
    for (const track of this.user?.getTracks() ?? []) track.enabled = !this.muted[track.kind as "audio" | "video"];
  }
}

// The tracks that a peer connection sends.

import type { Sent } from "./outgoing";

export class Senders {
  private readonly known = new Map<MediaStreamTrack, RTCRtpSender>();

  constructor(private readonly connection: RTCPeerConnection) {}

  /** Send these tracks and no others. Without `flowing` they stay agreed upon, and nothing of them is sent. */
  set(sent: readonly Sent[], flowing: boolean): void {
    for (const [track, sender] of this.known) {
      if (sent.some((one) => one.track === track)) continue;
      this.known.delete(track);
      this.connection.removeTrack(sender);
    }
    for (const { track, stream } of sent) {
      const sender = this.known.get(track) ?? this.connection.addTrack(track, stream);
      this.known.set(track, sender);
      const wanted = flowing ? track : null;
      if (sender.track !== wanted) void sender.replaceTrack(wanted).catch(() => {}); // it was closed meanwhile
    }
  }

  /** The section in which a track is sent, once that is agreed upon. */
  section(track: MediaStreamTrack): string | null {
    const sender = this.known.get(track);
    return this.connection.getTransceivers().find((one) => one.sender === sender)?.mid ?? null;
  }
}

// What others send, to be shown: a picture and its sound for each person, and each screen.

import type { Label } from "./labels";
import type { Labelled } from "./relay";
import type { Purpose } from "./wire";

export interface Received {
  userId: string;
  purpose: Purpose;
  stream: MediaStream;
}

/** Puts the tracks that a media server sends together again. The streams stay as long as there is anything in them. */
export class Gathering {
  private readonly streams = new Map<string, MediaStream>();

  gather(sent: readonly Labelled[], purposeOf: (label: Label) => Purpose): Received[] {
    const found = new Map<string, { userId: string; purpose: Purpose; tracks: MediaStreamTrack[] }>();
    for (const { receiver, ...label } of sent) {
      const purpose = purposeOf(label);
      const key = `${label.userId} ${purpose}`;
      const { tracks } = found.get(key) ?? { tracks: [] };
      found.set(key, { userId: label.userId, purpose, tracks: [...tracks, receiver.track] });
    }
    for (const key of [...this.streams.keys()]) if (!found.has(key)) this.streams.delete(key);
    return [...found].map(([key, { userId, purpose, tracks }]) => {
      const stream = this.streams.get(key) ?? new MediaStream();
      this.streams.set(key, stream);
      for (const track of stream.getTracks()) if (!tracks.includes(track)) stream.removeTrack(track);
      for (const track of tracks) stream.addTrack(track); // one that is there already stays as it is
      return { userId, purpose, stream };
    });
  }
}

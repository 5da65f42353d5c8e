// The videos of a call on the page, one for each stream. When somebody comes another way, what they are seen by stays until
// the new one has a picture to show: it begins with a key frame, for which their browser may take a second.

import type { Received } from "./calls/received";
import type { Purpose } from "./calls/wire";
import { el } from "./dom";

const LONGEST_MS = 2_000; // whoever has their camera off sends no picture, and is to be heard

interface Shown {
  userId: string;
  purpose: Purpose;
  video: HTMLVideoElement;
  /** Has no picture yet, and is not on the page: another one is there in its place. */
  comes: boolean;
}

export class CallVideos {
  /** By the ids of their streams. */
  private readonly shown = new Map<string, Shown>();
  private wanted: ReadonlySet<string> = new Set();

  constructor(
    private readonly place: HTMLElement,
    private readonly nameOf: (userId: string) => string,
  ) {}

  /** Show these and no others. The elements stay as long as their streams: a new one would begin with a black picture. */
  show(received: readonly Received[]): void {
    this.wanted = new Set(received.map(({ stream }) => stream.id));
    for (const one of received) this.label(this.shown.get(one.stream.id) ?? this.begin(one), one);
    this.clear();
  }

  private begin({ userId, purpose, stream }: Received): Shown {
    const video = el("video", { className: "their-video", autoplay: true, playsInline: true, srcObject: stream });
    const begun: Shown = { userId, purpose, video, comes: false };
    begun.comes = this.before(begun) !== undefined;
    this.shown.set(stream.id, begun);
    if (begun.comes) {
      video.muted = true; // the one before is still heard
      const look = () => video.videoWidth > 0 && this.arrive(begun); // sound alone is data, too
      video.onloadeddata = video.onresize = look;
      setTimeout(() => this.arrive(begun), LONGEST_MS);
    } else {
      this.place.prepend(video);
    }
    return begun;
  }

  /** It has a picture, or has been waited for long enough. Idempotent. */
  private arrive(one: Shown): void {
    if (!one.comes) return;
    one.comes = false;
    one.video.muted = false;
    const before = this.before(one);
    if (before) before.video.replaceWith(one.video);
    else this.place.prepend(one.video);
    void one.video.play().catch(() => {}); // off the page it did not begin by itself
    this.clear();
  }

  /** The one that this one comes in place of. */
  private before({ userId, purpose }: Shown): Shown | undefined {
    const [, found] = [...this.shown].find(
      ([id, one]) => !this.wanted.has(id) && !one.comes && one.userId === userId && one.purpose === purpose,
    ) ?? [];
    return found;
  }

  /** Remove what is not wanted any more, but for what another one comes in place of. */
  private clear(): void {
    const coming = [...this.shown].filter(([id, { comes }]) => comes && this.wanted.has(id)).map(([, one]) => this.before(one));
    for (const [id, one] of this.shown) {
      if (this.wanted.has(id) || coming.includes(one)) continue;
      one.comes = false;
      one.video.srcObject = null;
      one.video.remove();
      this.shown.delete(id);
    }
  }

  private label(shown: Shown, { userId, purpose }: Received): void {
    const name = this.nameOf(userId);
    shown.purpose = shown.video.dataset.purpose = purpose;
    shown.video.ariaLabel = purpose === "screenshare" ? `Screen of ${name}` : name;
  }
}

// What this device sends into a call: opening and closing it, and telling the others what it is.

import { type Devices, Outgoing } from "./outgoing";
import type { CallType, Media } from "./wire";

/** The call, as what is sent into it needs it. */
export interface Into {
  /** Whether this device is in it. */
  joined(): boolean;
  isOver(): boolean;
  /** What the others are told of it. */
  media(): Media;
  ask(event: string, payload?: object): Promise<{ version: number }>;
  /** A change of my own got this version. */
  numbered(version: number): void;
  /** Something else is to be sent than before. */
  spread(): void;
  changed(): void;
}

export class Sending {
  readonly outgoing = new Outgoing();
  /** What the others were told last, as JSON. */
  private told = "";
  private opening: Promise<void> | null = null;

  constructor(
    private readonly devices: Devices,
    private readonly into: Into,
  ) {}

  /** Open camera and microphone. Again, also meanwhile: nothing more. */
  open(type: CallType): Promise<void> {
    this.opening ??= this.openOnce(type).finally(() => (this.opening = null));
    return this.opening;
  }

  /** Open them anew, with video. */
  async addVideo(): Promise<void> {
    const [before, media] = [this.outgoing.user, await this.devices.open("video")];
    if (this.into.isOver()) return stop(media);
    this.outgoing.have(media);
    this.into.spread();
    if (before) stop(before);
    await this.tell();
  }

  async mute(kind: "audio" | "video", on: boolean): Promise<void> {
    this.outgoing.mute(kind, on);
    await this.tell();
  }

  async hold(on: boolean): Promise<void> {
    const { version } = await this.into.ask(on ? "call:hold" : "call:resume");
    this.outgoing.held = on;
    this.into.spread();
    this.into.numbered(version);
    this.into.changed();
  }

  async shareScreen(): Promise<void> {
    const screen = await this.devices.screen();
    if (this.into.isOver() || this.outgoing.screen) return stop(screen);
    this.outgoing.screen = screen;
    screen.getTracks().forEach((track) => (track.onended = () => void this.unshareScreen().catch(() => {})));
    await this.tell(); // first: the others know what the stream is when it comes
    this.into.spread();
  }

  async unshareScreen(): Promise<void> {
    if (this.outgoing.screen) stop(this.outgoing.screen);
    this.outgoing.screen = null;
    this.into.spread();
    await this.tell();
  }

  /** Say what is sent, if it is not what was said last; `again`: also if it is, but not if nothing was ever said. */
  async tell(again = false): Promise<void> {
    this.into.changed();
    const media = this.into.media();
    const told = JSON.stringify(media);
    if (!this.into.joined() || (again ? !this.told : told === this.told)) return;
    this.told = told;
    try {
      this.into.numbered((await this.into.ask("call:media", media)).version);
    } catch (error) {
      this.told = "not"; // whatever is sent then, it is to be said
      throw error;
    }
  }

  stop(): void {
    this.outgoing.stop();
  }

  private async openOnce(type: CallType): Promise<void> {
    if (this.outgoing.user) return;
    const media = await this.devices.open(type);
    if (this.into.isOver()) return stop(media); // hung up while the browser asked
    this.outgoing.have(media);
    this.into.changed();
  }
}

function stop(media: MediaStream): void {
  media.getTracks().forEach((track) => track.stop());
}

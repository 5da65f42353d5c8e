// The call on the page: who is in it, what they send, and the buttons.

import { CallVideos } from "./call_videos";
import type { Call, Watcher } from "./calls/call";
import { CallClient } from "./calls/call_client";
import { byId, notice, onPress } from "./dom";
import type { Hub } from "./hub";
import type { People } from "./people";
import type { User } from "./session";

const MOST_PEOPLE = 4; // each sends to each: an upstream of three videos is what a home has

const ENDS: Record<string, string> = {
  user_hangup: "The call is over.",
  cancelled: "The call was taken back.",
  rejected: "The call was declined.",
  user_busy: "The other person is in a call.",
  invite_timeout: "Nobody answered.",
  answered_elsewhere: "You answered on another device.",
  moved: "The call goes on at another device.",
  empty: "Everybody else has left.",
  ice_failed: "The connection between the two of you did not come about.",
  ice_timeout: "The connection was lost.",
  user_media_failed: "There was no camera or microphone to use.",
};

/** Of a button that is pressed or not: which, as the call is. */
const pressed = new WeakMap<Element, (call: Call) => boolean>();

export class CallView implements Watcher {
  /** The call that is shown. */
  private current: Call | null = null;
  /** Calls that ring here meanwhile, the oldest first. */
  private readonly waiting = new Set<Call>();
  /** A call that another device of mine has. */
  private elsewhere: Call | null = null;
  private readonly client: CallClient;
  private readonly section = byId("call", HTMLElement);
  private readonly videos: CallVideos;
  private readonly myVideo = byId("my-video", HTMLVideoElement);
  private readonly accepts = byId("call-accept", HTMLButtonElement);
  private readonly declines = byId("call-decline", HTMLButtonElement);
  private readonly ignores = byId("call-ignore", HTMLButtonElement);
  private readonly ends = byId("call-end", HTMLButtonElement);
  private readonly offer = byId("call-elsewhere", HTMLElement);
  private readonly talking = byId("call-talking", HTMLElement);

  constructor(
    hub: Hub,
    me: User,
    private readonly people: () => People,
  ) {
    this.videos = new CallVideos(byId("call-videos", HTMLElement), (userId) => this.people().nameOf(userId));
    this.client = new CallClient(hub, me.id, { open: openCamera, screen: openScreen, areAllowed }, this);
    onPress(this.accepts, () => this.current?.accept());
    onPress(this.declines, () => this.current?.end());
    onPress(this.ignores, () => this.current?.ignore());
    onPress(this.ends, () => this.hangUp());
    onPress(byId("call-take", HTMLButtonElement), () => this.elsewhere && this.client.take(this.elsewhere));
    this.toggle("call-mute", (call) => call.outgoing.isMuted("audio"), (call, on) => call.sending.mute("audio", on));
    this.toggle("call-camera", (call) => call.outgoing.isMuted("video"), (call, on) => call.sending.mute("video", on));
    this.toggle("call-hold", (call) => call.outgoing.held, (call, on) => call.sending.hold(on));
    this.toggle(
      "call-screen",
      (call) => call.outgoing.screen !== null,
      (call, on) => (on ? call.sending.shareScreen() : call.sending.unshareScreen()),
    );
    const changed = () => this.client.networkChanged();
    window.addEventListener("online", changed);
    (navigator as { connection?: EventTarget }).connection?.addEventListener("change", changed);
  }

  /** Call somebody, or have them in the call that goes on. */
  async place(user: User): Promise<void> {
    const call = this.current;
    if (!call) return this.client.place([user.id], "video");
    const inIt = call.others.filter(({ state }) => state === "joined" || state === "ringing");
    if (!call.joined || inIt.some(({ userId }) => userId === user.id)) throw new Error("You are in a call already.");
    if (!call.isRelayed && inIt.length + 1 >= MOST_PEOPLE) throw new Error(`No more than ${MOST_PEOPLE} people fit into a call.`);
    await call.invite([user.id]);
  }

  /** Leave the call, if there is one. */
  async hangUp(): Promise<void> {
    await this.current?.end();
  }

  begun(call: Call): void {
    if (this.current && call.isIncoming) return void this.waiting.add(call);
    this.show(call);
  }

  changed(call: Call): void {
    if (call === this.current) this.render(call);
  }

  ended(call: Call, reason: string): void {
    this.waiting.delete(call);
    if (call !== this.current) return;
    this.current = null;
    this.section.hidden = true;
    this.myVideo.srcObject = null;
    this.videos.show([]);
    if (reason === "answered_elsewhere" || reason === "moved") {
      this.elsewhere = call;
      this.offer.hidden = false;
    }
    if (reason) notice(ENDS[reason] ?? "The call is over.");
    const [next] = this.waiting;
    if (next) this.show(next);
  }

  private show(call: Call): void {
    this.waiting.delete(call);
    this.current = call;
    this.elsewhere = null;
    this.offer.hidden = true;
    this.section.hidden = false;
    this.render(call);
    if (call.rings) this.accepts.focus();
  }

  private render(call: Call): void {
    this.accepts.hidden = this.declines.hidden = this.ignores.hidden = !call.rings;
    this.ends.hidden = call.rings;
    this.talking.hidden = !call.joined;
    byId("call-state", HTMLElement).textContent = `${this.doing(call)} ${this.names(call)}`;
    for (const button of this.talking.querySelectorAll("button")) button.ariaPressed = String(pressed.get(button)?.(call));
    if (this.myVideo.srcObject !== call.outgoing.user) this.myVideo.srcObject = call.outgoing.user;
    this.videos.show(call.received);
  }

  private doing(call: Call): string {
    if (call.others.some(({ state }) => state === "joined") && call.joined) {
      return call.outgoing.held ? "on hold:" : "in a call with";
    }
    if (call.rings) return "call from";
    if (!call.joined && call.isKept) return "back to the call with";
    return call.alerted ? "ringing at" : "calling";
  }

  /** Those whom the line is about, and what there is to say of them. */
  private names(call: Call): string {
    if (call.rings) return this.people().nameOf(call.initiator);
    const others = call.others.filter(({ state }) => state === "joined" || state === "ringing");
    const names = others.map(({ userId, state, held, away, media }) => {
      const said = [
        state === "ringing" && others.some((one) => one.state === "joined") && "ringing",
        held && "holds",
        away && "away",
        media?.audioMuted && "muted",
      ].filter(Boolean);
      return this.people().nameOf(userId) + (said.length ? ` (${said.join(", ")})` : "");
    });
    return names.join(", ") + (call.isRecorded ? ", recorded" : "");
  }

  /** A button that is pressed or not, as the call is. */
  private toggle(id: string, isOn: (call: Call) => boolean, turn: (call: Call, on: boolean) => Promise<void>): void {
    const button = byId(id, HTMLButtonElement);
    pressed.set(button, isOn);
    onPress(button, () => this.current && turn(this.current, !isOn(this.current)));
  }
}

async function openCamera(type: "audio" | "video"): Promise<MediaStream> {
  if (!navigator.mediaDevices) throw new Error("Browsers give camera and microphone to secure pages only: use https.");
  return navigator.mediaDevices.getUserMedia({ audio: true, video: type === "video" });
}

/** Not so where a browser does not say: Firefox knows no such permission. */
async function areAllowed(type: "audio" | "video"): Promise<boolean> {
  const names = type === "video" ? ["camera", "microphone"] : ["microphone"];
  try {
    const asked = names.map((name) => navigator.permissions.query({ name: name as PermissionName }));
    return (await Promise.all(asked)).every(({ state }) => state === "granted");
  } catch {
    return false;
  }
}

async function openScreen(): Promise<MediaStream> {
  return navigator.mediaDevices.getDisplayMedia({ video: true });
}

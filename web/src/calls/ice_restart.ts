// When a peer connection needs new paths: after its network changed, or its path broke; and when that is hopeless.

const CONNECT_MS = 20_000; // Chrome gives up its checks after 15 s
const BREAK_MS = 3_000; // a path that is lost for less comes back by itself
const TRY_MS = 8_000; // offer, answer and checks, also through TURN by TCP
const POLITE_MS = 2_000; // both sides see a broken path; one restart is enough
const TRIES = 3;

export class IceRestart {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;
  private tries = 0;
  private wasConnected = false;
  private state: RTCPeerConnectionState = "new";

  /** `restart` asks the hub for a new generation and begins it; whoever is patient leaves that to the other side first. */
  constructor(
    private readonly patient: boolean,
    private readonly restart: () => Promise<void>,
    private readonly giveUp: (reason: "ice_failed" | "ice_timeout") => void,
    /** How long a try may take. */
    private readonly tryMs = TRY_MS,
  ) {}

  /** The first path is looked for from now on. */
  begin(): void {
    this.after(CONNECT_MS);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  /** The peer connection has this state now. */
  changed(state: RTCPeerConnectionState): void {
    this.state = state;
    if (state === "connected") {
      clearTimeout(this.timer);
      this.wasConnected = true;
      this.tries = 0;
    } else if (state === "disconnected") {
      this.after(BREAK_MS + this.courtesy);
    } else if (state === "failed") {
      this.after(this.courtesy);
    } else if (state === "connecting" && this.wasConnected) {
      this.after(this.tryMs); // the other side has begun to restart
    }
  }

  /** This machine has another network, or the hub again after a loss: do not wait until the path is seen to be broken. */
  now(): void {
    this.tries = 0;
    this.after(0);
  }

  /** It is of no use as it is. */
  broken(): void {
    this.after(0);
  }

  private get courtesy(): number {
    return this.patient ? POLITE_MS : 0;
  }

  private after(ms: number): void {
    clearTimeout(this.timer);
    if (this.closed) return;
    this.timer = setTimeout(() => void this.restartOnce(), ms);
  }

  private async restartOnce(): Promise<void> {
    if (this.tries >= TRIES) return this.giveUp(this.wasConnected ? "ice_timeout" : "ice_failed");
    this.tries += 1;
    try {
      await this.restart();
    } catch {
      this.tries -= 1; // nobody answers: the hub is away, and after it comes back there is another try
    }
    if (this.state !== "connected") this.after(this.tryMs);
  }
}

// What a browser gives the call client, without one: peer connections that negotiate and carry nothing, and media.

let numbers = 0;

/** An RTCPeerConnection as far as the client uses it. `made` are all of a test. */
export class FakePeer {
  static made = [];

  signalingState = "stable";
  connectionState = "new";
  iceGatheringState = "complete";
  localDescription = null;
  currentRemoteDescription = null;
  sections = [];
  restarts = 0;
  certificate = ++numbers;

  constructor() {
    FakePeer.made.push(this);
  }

  get sent() {
    return this.sections.map(({ sender }) => sender.track);
  }

  addTrack(track) {
    const sender = { track, replaceTrack: async (other) => void (sender.track = other) };
    this.sections.push({ sender, mid: String(this.sections.length), direction: "sendrecv", receiver: { track: { kind: track.kind } } });
    this.need();
    return sender;
  }

  removeTrack(sender) {
    this.sections = this.sections.filter((one) => one.sender !== sender);
    this.need();
  }

  getTransceivers() {
    return this.sections;
  }

  async createOffer() {
    return { type: "offer", sdp: `a=fingerprint:sha-256 ${this.certificate}` };
  }

  async setLocalDescription() {
    const type = this.signalingState === "have-remote-offer" ? "answer" : "offer";
    this.localDescription = { ...(await this.createOffer()), type };
    this.signalingState = type === "offer" ? "have-local-offer" : "stable";
  }

  async setRemoteDescription(description) {
    this.signalingState = description.type === "offer" ? "have-remote-offer" : "stable";
    this.currentRemoteDescription = description;
  }

  async addIceCandidate() {}
  setConfiguration() {}

  restartIce() {
    this.restarts += 1;
  }

  close() {
    this.connectionState = "closed";
    this.signalingState = "closed";
  }

  /** Once for all that has changed in a turn. */
  need() {
    if (this.needed) return;
    this.needed = true;
    queueMicrotask(() => {
      this.needed = false;
      this.onnegotiationneeded?.();
    });
  }
}

/** Camera and microphone. */
export function media(...kinds) {
  const tracks = kinds.map((kind) => ({ kind, enabled: true, stopped: false, stop() { this.stopped = true; } }));
  return { id: `stream ${++numbers}`, getTracks: () => tracks };
}

/** The storage of a tab, and the locks of a browser; each page of a test is in the same tab. */
export function tab() {
  const kept = new Map();
  globalThis.sessionStorage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
  const locks = { request: async (_name, ...rest) => rest.at(-1)() };
  Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
  globalThis.RTCPeerConnection = FakePeer;
  FakePeer.made = [];
  return kept;
}

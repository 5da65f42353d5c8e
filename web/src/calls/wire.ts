// The call protocol as this client speaks it (docs/wire.json has all of it), and what it needs of the connection.

/** A connection to the hub that comes back by itself. */
export interface Line {
  /** Whether events are served. */
  readonly ready: boolean;
  /** Send an event and give the data of its acknowledgement. Throws HubError; nothing is kept for a later connection. */
  ask<T>(event: string, payload: object): Promise<T>;
  /** Hear an event. What is given back ends that. */
  on<T>(event: string, listener: (payload: T) => void): () => void;
  /** Hear of every connect and reconnect, at once if there is a connection. */
  onReady(listener: () => void): () => void;
}

export type CallType = "audio" | "video";
export type Purpose = "usermedia" | "screenshare";

export type Description = { type: "offer" | "answer"; sdp: string };
export type Signal =
  | Description
  | { type: "candidate"; candidates: RTCIceCandidateInit[] }
  | { type: "end-of-candidates" };

/** How to find a path to the others: in every acknowledgement that lets a peer connection begin. */
export interface Ice {
  iceServers?: RTCIceServer[];
  iceTransportPolicy?: RTCIceTransportPolicy;
}

export interface Media {
  audioMuted: boolean;
  videoMuted: boolean;
  screen: boolean;
  /** What each MediaStream is for, by its id; and what each stream is for that a media server passes on, by its name. */
  streams: Record<string, Purpose>;
}

export interface Member {
  userId: string;
  state: "ringing" | "joined" | "declined" | "left";
  gen?: number;
  held?: boolean;
  away?: boolean;
  media?: Media;
}

/** Acknowledges `call:initiate`. */
export interface Placed extends Ice {
  callId: string;
  state: string;
  version: number;
  type: CallType;
  initiator: string;
  members?: Member[];
  reason?: string;
}

/** Acknowledges what moves a call. */
export interface Standing extends Ice {
  callId: string;
  state: string;
  version: number;
  gen?: number;
  members?: Member[];
  engine?: string;
}

/** Acknowledges `call:restart`. */
export interface Restarted extends Ice {
  version: number;
  gen: number;
}

/** Acknowledges `call:engine`: how to reach a media server to which the hub passes nothing on. */
export interface MediaWay {
  engine: string;
  url?: string;
  token?: string;
}

/** A change of a call by somebody, as it is told or as `call:sync` has it. */
export interface Change {
  version: number;
  kind: string;
  from: string;
  gen?: number;
  reason?: string;
  signal?: Signal;
  /** Of `invited`: whom it rings since. */
  members?: string[];
  media?: Media;
  type?: CallType;
  engine?: string;
}

/** Acknowledges `call:sync`. */
export interface Snapshot extends Ice {
  state: string;
  version: number;
  type: CallType;
  initiator: string;
  members: Member[];
  /** Whether this connection has my part in the call. */
  mine: boolean;
  /** Number of the last signal that the hub took from here. */
  seq: number;
  gen?: number;
  engine: string;
  complete: boolean;
  events: Change[];
  reason?: string;
}

/** A stream that a media server has from somebody. It calls it by the user and the section in which it comes. */
export interface Track {
  id: string;
  userId: string;
  kind: "audio" | "video";
}

/** Told to every device that rings. */
export interface Incoming {
  callId: string;
  version: number;
  initiator: string;
  type: CallType;
  from?: string;
  members?: Member[];
  busy?: boolean;
}

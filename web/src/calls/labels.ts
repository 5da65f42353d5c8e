// Whose the streams are that a media server sends: its answers name user and track in each section (`a=msid`).

export interface Label {
  userId: string;
  /** The media server's name for the stream. */
  trackId: string;
}

/** The labels of a description, by the ids of its sections. */
export function labels(sdp: string): Map<string, Label> {
  const found = new Map<string, Label>();
  for (const section of sdp.split(/^m=/m).slice(1)) {
    const mid = /^a=mid:(\S+)/m.exec(section)?.[1];
    const [, userId, trackId] = /^a=msid:(\S+) (\S+)/m.exec(section) ?? [];
    if (mid && userId && trackId) found.set(mid, { userId, trackId });
  }
  return found;
}

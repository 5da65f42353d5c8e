// The call of this tab, for the page that is loaded anew in it.
//
// sessionStorage lasts as long as the tab, but a tab that is copied has a copy of it. So whoever is in a call holds a lock
// under its id, which the browser takes back with the page.

const KEY = "sparkle-call";
const UNLOAD_MS = 2_000; // until the page before this one has gone

export class KeptCall {
  private release: () => void = () => {};

  /** This page is in a call. */
  keep(callId: string): void {
    sessionStorage.setItem(KEY, callId);
    this.release();
    void navigator.locks?.request(lockOf(callId), () => new Promise<void>((resolve) => (this.release = resolve)));
  }

  /** It is not in that call any more. */
  drop(callId: string): void {
    if (sessionStorage.getItem(KEY) !== callId) return;
    sessionStorage.removeItem(KEY);
    this.release();
  }

  /** The call that the page before this one was in. Null if there is none, or another page is in it. */
  async found(): Promise<string | null> {
    const callId = sessionStorage.getItem(KEY);
    if (callId === null || !navigator.locks) return null;
    try {
      const signal = AbortSignal.timeout(UNLOAD_MS);
      return await navigator.locks.request(lockOf(callId), { signal }, () => callId);
    } catch {
      sessionStorage.removeItem(KEY); // it is the other's
      return null;
    }
  }
}

function lockOf(callId: string): string {
  return `${KEY} ${callId}`;
}

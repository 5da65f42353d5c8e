// Who is signed in here: signing up, in and out, and a token that is always fresh.
//
// The access token is in memory only. The refresh token is in sessionStorage: it must survive a reload, and this is the
// narrowest place that does. Other tabs do not see it (two people can use two tabs), it ends with the tab, and no
// request carries it by itself, as a cookie would. A script of somebody else's could read it, as it could use a cookie;
// the content security policy lets none in.

import { HubError } from "./hub_error";
import { request, type Answer } from "./rest";

const KEY = "sparkle-session";
const EARLY_MS = 60_000;
const PAUSE_MS = 2_000;

export interface User {
  id: string;
  username: string;
  displayName: string;
}

interface SignedIn {
  user: User;
  accessToken: string;
  accessTokenExpiresAt: string;
  refreshToken: string;
}

interface Access {
  token: string;
  /** By this machine's clock, which may differ from the hub's; only the span of time is taken from there. */
  until: number;
}

/** A copied tab has the same refresh token. Each is good once, so whoever spends it tells the others the next. */
const tabs = new BroadcastChannel(KEY);

export class Session {
  readonly user: User;
  /** Called once when the session has ended, whoever ended it; `why` is for the reader. */
  ended: (why: string) => void = () => {};

  private refreshToken: string;
  private access: Access | null = null;
  private refreshing: Promise<string> | null = null;
  private timer: number | undefined;

  private constructor(user: User, refreshToken: string) {
    this.user = user;
    this.refreshToken = refreshToken;
    tabs.addEventListener("message", this.heard);
  }

  /** The session that this tab had before it was reloaded. It is asked for a token at once. */
  static restored(): Session | null {
    const kept = sessionStorage.getItem(KEY);
    if (kept === null) return null;
    const { user, refreshToken } = JSON.parse(kept) as SignedIn;
    return new Session(user, refreshToken);
  }

  static signIn(username: string, password: string): Promise<Session> {
    return Session.opened("/auth/signin", { username, password });
  }

  static signUp(username: string, password: string, email: string): Promise<Session> {
    return Session.opened("/auth/signup", { username, password, email });
  }

  /** An access token with a minute to go. Throws HubError: temporary, or the session has ended. */
  token(): Promise<string> {
    if (this.access && Date.now() < this.access.until) return Promise.resolve(this.access.token);
    this.refreshing ??= this.refresh().finally(() => (this.refreshing = null));
    return this.refreshing;
  }

  /** Take no token from before: the hub refused it, or says that it runs out. */
  distrust(): void {
    this.access = null;
  }

  async signOut(): Promise<void> {
    try {
      await request("POST", "/auth/logout", { token: await this.token() });
    } finally {
      this.end("");
    }
  }

  /** Forget everything; `why` is for the reader. Idempotent. */
  end(why: string): void {
    tabs.removeEventListener("message", this.heard);
    clearTimeout(this.timer);
    sessionStorage.removeItem(KEY);
    const ended = this.ended;
    this.ended = () => {};
    ended(why);
  }

  private static async opened(path: string, body: object): Promise<Session> {
    const answer = await request<SignedIn>("POST", path, { body });
    const session = new Session(answer.body.user, answer.body.refreshToken);
    session.take(answer);
    return session;
  }

  private async refresh(): Promise<string> {
    const was = this.refreshToken;
    try {
      const answer = await request<SignedIn>("POST", "/auth/refresh", { body: { refreshToken: was } });
      tabs.postMessage({ was, now: answer.body.refreshToken });
      return this.take(answer);
    } catch (error) {
      if (error instanceof HubError && !error.temporary) this.end("Your session has ended. Sign in again.");
      else this.refreshIn(PAUSE_MS);
      throw error;
    }
  }

  private take({ body, date }: Answer<SignedIn>): string {
    const life = Date.parse(body.accessTokenExpiresAt) - date;
    this.access = { token: body.accessToken, until: Date.now() + life - EARLY_MS };
    this.keep(body.refreshToken);
    this.refreshIn(Math.max(life - EARLY_MS, PAUSE_MS));
    return body.accessToken;
  }

  private keep(refreshToken: string): void {
    this.refreshToken = refreshToken;
    sessionStorage.setItem(KEY, JSON.stringify({ user: this.user, refreshToken }));
  }

  private refreshIn(ms: number): void {
    clearTimeout(this.timer);
    // Ahead of time, so that nobody waits for it; a tab that slept through it refreshes when a token is asked for.
    this.timer = window.setTimeout(() => void this.token().catch(() => {}), ms);
  }

  private readonly heard = ({ data }: MessageEvent<{ was: string; now: string }>): void => {
    if (data.was === this.refreshToken) this.keep(data.now);
  };
}

// REST: one request with a limit of time, and writes that may be sent again.

import { HubError } from "./hub_error";
import { newUlid } from "./ids";

const BASE = "/api/v1";
/** A connection that went silent would keep its button pressed for ever. */
const ANSWER_MS = 15_000;
const TRIES = 3;
const PAUSE_MS = 500;

/** What was answered: the body, and when by the hub's clock. */
export interface Answer<T> {
  body: T;
  date: number;
}

export interface Page<T> {
  data: T[];
  pageInfo: { nextCursor: string | null; hasNext: boolean };
}

/** Ask once. Throws HubError. */
export async function request<T>(
  method: string,
  path: string,
  { token, body, key }: { token?: string; body?: object; key?: string } = {},
): Promise<Answer<T>> {
  const headers = new Headers();
  if (token) headers.set("Authorization", `Bearer ${token}`);
  if (body) headers.set("Content-Type", "application/json");
  if (key) headers.set("Idempotency-Key", key);
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), ANSWER_MS);
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(BASE + path, { method, headers, body: body ? JSON.stringify(body) : null, signal: patience.signal });
    const text = await response.text();
    answer = text === "" ? null : JSON.parse(text);
  } catch {
    throw HubError.offline(); // nobody there, or a proxy that says so in HTML
  } finally {
    clearTimeout(timer);
  }
  if (!response.ok) throw refusal(response, answer);
  return { body: answer as T, date: Date.parse(response.headers.get("Date") ?? "") || Date.now() };
}

/** What the hub says always has a code. Anything else was said by a proxy in its place, and ends no session. */
function refusal({ headers }: Response, answer: unknown): HubError {
  const given = (answer ?? {}) as Record<string, unknown>;
  if (typeof given.code !== "string") return HubError.offline();
  return HubError.of({ ...given, retryAfter: headers.get("Retry-After") });
}

/** Requests of somebody who is signed in. Writes carry an Idempotency-Key, so sending one again does it once. */
export class Rest {
  /** Keys of what was to be made, and may have been: the answer never came. Whoever presses again makes it once. */
  private readonly unanswered = new Map<string, string>();

  constructor(private readonly token: () => Promise<string>) {}

  get<T>(path: string): Promise<T> {
    return this.persist("GET", path);
  }

  async post<T>(path: string, body?: object): Promise<T> {
    const wanted = JSON.stringify([path, body]);
    const key = this.unanswered.get(wanted) ?? newUlid();
    try {
      const made = await this.persist<T>("POST", path, body, key);
      this.unanswered.delete(wanted);
      return made;
    } catch (error) {
      if (isUnanswered(error)) this.unanswered.set(wanted, key);
      else this.unanswered.delete(wanted);
      throw error;
    }
  }

  patch<T>(path: string, body: object): Promise<T> {
    return this.persist("PATCH", path, body, newUlid());
  }

  private async persist<T>(method: string, path: string, body?: object, key?: string): Promise<T> {
    for (let tried = 1; ; tried++) {
      try {
        const token = await this.token();
        return (await request<T>(method, path, { token, ...(body && { body }), ...(key && { key }) })).body;
      } catch (error) {
        const pause = pauseAfter(error, tried);
        if (pause === null) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }
}

function isUnanswered(error: unknown): boolean {
  return error instanceof HubError && (error.code === "offline" || error.code === "unavailable");
}

/** Milliseconds until the next try; `null`: there is none. */
function pauseAfter(error: unknown, tried: number): number | null {
  if (isUnanswered(error)) return tried < TRIES ? PAUSE_MS * tried : null;
  // The first try is still at work behind this key. The hub says so for a minute at most.
  return error instanceof HubError && error.code === "conflict" ? error.retryAfterMs : null;
}

// REST: one request, and writes that may be sent again.

import { HubError } from "./hub_error";
import { newUlid } from "./ids";

const BASE = "/api/v1";
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
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(BASE + path, { method, headers, body: body ? JSON.stringify(body) : null });
    const text = await response.text();
    answer = text === "" ? null : JSON.parse(text);
  } catch {
    throw HubError.offline(); // nobody there, or a proxy that says so in HTML
  }
  if (!response.ok) throw HubError.of(answer);
  return { body: answer as T, date: Date.parse(response.headers.get("Date") ?? "") || Date.now() };
}

/** Requests of somebody who is signed in. Writes carry an Idempotency-Key, so sending one again does it once. */
export class Rest {
  constructor(private readonly token: () => Promise<string>) {}

  get<T>(path: string): Promise<T> {
    return this.persist("GET", path);
  }

  post<T>(path: string, body?: object): Promise<T> {
    return this.persist("POST", path, body);
  }

  patch<T>(path: string, body: object): Promise<T> {
    return this.persist("PATCH", path, body);
  }

  private async persist<T>(method: string, path: string, body?: object): Promise<T> {
    const key = method === "GET" ? {} : { key: newUlid() };
    for (let tried = 1; ; tried++) {
      try {
        const token = await this.token();
        return (await request<T>(method, path, { token, ...(body && { body }), ...key })).body;
      } catch (error) {
        const again = error instanceof HubError && (error.code === "offline" || error.code === "unavailable");
        if (!again || tried === TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * tried));
      }
    }
  }
}

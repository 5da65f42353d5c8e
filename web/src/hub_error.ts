// The one kind of error that the hub answers with, by REST and by socket.

/** An answer that says no. `temporary`: the same may succeed later. */
export class HubError extends Error {
  override readonly name = "HubError";

  constructor(
    readonly code: string,
    message: string,
    readonly temporary: boolean,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }

  /** Out of `error` of an acknowledgement, `data` of a refused handshake, or a problem document. */
  static of(answer: unknown): HubError {
    const given = (answer ?? {}) as Record<string, unknown>;
    const message = given.message ?? given.detail ?? given.title ?? "The hub gave no reason.";
    return new HubError(String(given.code ?? "internal"), String(message), given.temporary === true, given);
  }

  /** Nobody answered: it may or may not have happened. */
  static offline(): HubError {
    return new HubError("offline", "The hub does not answer. Try again in a moment.", true);
  }

  /** How long to wait before another try, in milliseconds, if the hub said so. */
  get retryAfterMs(): number | null {
    const seconds = Number(this.details.retryAfter);
    return seconds > 0 ? seconds * 1000 : null;
  }
}

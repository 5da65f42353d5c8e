"""Errors that may reach a client: one code, one HTTP status, one advice each. The catalogue of the wire."""

from typing import Any, ClassVar

CATALOGUE: "dict[str, type[HubError]]" = {}
"""Every error by its code, filled as the classes are defined; docs/wire.json is written from it."""


class HubError(Exception):
    """An error meant for the client. Anything else that escapes a handler becomes ``internal`` and is logged.

    ``details`` are added to the error object on the wire: ``stateVector`` of an update gap, ``errors`` of a payload.
    """

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    temporary: ClassVar[bool] = True
    """True: the same request may succeed later. False: change the request first."""
    default_message: ClassVar[str] = "Something went wrong on our side. It is logged; try again."

    def __init__(self, message: str | None = None, *, retry_after: float | None = None, **details: Any) -> None:
        super().__init__(message or self.default_message)
        self.message = message or self.default_message
        self.retry_after = retry_after
        self.details = details

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        known = CATALOGUE.setdefault(cls.code, cls)
        if known.__qualname__ != cls.__qualname__:
            raise TypeError(f"error code {cls.code!r} belongs to {known.__qualname__} already")

    def to_wire(self) -> dict[str, Any]:
        """The ``error`` object of an acknowledgement: code, message, temporary, retryAfter? (seconds), details."""
        wire: dict[str, Any] = {"code": self.code, "message": self.message, "temporary": self.temporary}
        if self.retry_after is not None:
            wire["retryAfter"] = self.retry_after
        return wire | self.details


CATALOGUE[HubError.code] = HubError


class InvalidPayload(HubError):
    """The payload does not fit the schema; ``errors`` lists every invalid field. Sending it again is useless."""

    code = "invalid_payload"
    http_status = 422
    temporary = False
    default_message = "The payload does not fit."


class MalformedBody(HubError):
    """The bytes are no JSON at all, or not of the announced content type."""

    code = "malformed_body"
    http_status = 400
    temporary = False
    default_message = "The body is not valid JSON."


class UnknownEvent(HubError):
    """The hub has no event of that name."""

    code = "unknown_event"
    http_status = 404
    temporary = False
    default_message = "There is no event of that name."


class Unauthorized(HubError):
    """No valid credentials. Sign in, or refresh the token."""

    code = "unauthorized"
    http_status = 401
    temporary = False
    default_message = "Sign in first."


class TokenExpired(HubError):
    """The access token is past its time. Refresh it and try again."""

    code = "token_expired"
    http_status = 401
    temporary = False
    default_message = "The access token has expired."


class Suspended(HubError):
    """The account may not be used. Signing in again does not help."""

    code = "suspended"
    http_status = 403
    temporary = False
    default_message = "This account is suspended."


class Forbidden(HubError):
    """The actor can see the resource but may not do this to it."""

    code = "forbidden"
    http_status = 403
    temporary = False
    default_message = "You may not do this."


class NotFound(HubError):
    """There is no such resource, or the actor may not know of it: the two are told apart by nobody."""

    code = "not_found"
    http_status = 404
    temporary = False
    default_message = "There is no such thing, or it is not yours to see."


class Conflict(HubError):
    """The request does not fit the present state (a name taken, the same key in flight)."""

    code = "conflict"
    http_status = 409
    temporary = False
    default_message = "This does not fit the present state."


class PreconditionFailed(HubError):
    """``If-Match`` names another version. Read the resource again and decide anew."""

    code = "precondition_failed"
    http_status = 412
    temporary = False
    default_message = "The resource has changed since you read it."


class PayloadTooLarge(HubError):
    """More bytes or entries than the limit named in the message."""

    code = "payload_too_large"
    http_status = 413
    temporary = False
    default_message = "The payload is too large."


class RateLimited(HubError):
    """Too many requests. Wait ``retryAfter`` seconds."""

    code = "rate_limited"
    http_status = 429
    default_message = "Too many requests."


class TooManyConnections(HubError):
    """The user has as many connections as one may have, over all nodes. Close one, then connect again."""

    code = "too_many_connections"
    http_status = 429
    default_message = "You have as many connections as one person may have. Close one and connect again."


class Overloaded(HubError):
    """The hub has as much work of this kind as it takes on. Try again after a moment."""

    code = "overloaded"
    http_status = 503
    default_message = "The hub is busy. Try again in a moment."


class Unavailable(HubError):
    """PostgreSQL or Redis does not answer. What was not acknowledged may or may not have happened: repeat it."""

    code = "unavailable"
    http_status = 503
    default_message = "A part of the hub does not answer just now. Try again."

"""The socket handshake: who connects, by access token or ticket."""

from typing import Annotated

from msgspec import Meta

from hub.gate.revocations import RedisRevocations
from hub.gate.settings import GateSettings
from hub.gate.tickets import TicketOffice
from hub.kernel import wire
from hub.kernel.clock import Clock
from hub.kernel.errors import InvalidPayload, Unauthorized
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, SessionId
from hub.kernel.ports import Admission, Authenticator, RateLimiter
from hub.kernel.wire import Wire


class HandshakeAuth(Wire, forbid_unknown_fields=False):
    """``auth`` of a CONNECT packet. Unknown fields are let through: clients add their own (``pid``, ``offset``)."""

    token: Annotated[str, Meta(max_length=4096)] | None = None
    ticket: Annotated[str, Meta(max_length=200)] | None = None
    device: Annotated[str, Meta(max_length=64)] = "unknown"


class Handshake:
    """Checks every CONNECT. Implements hub.kernel.ports.Gate."""

    def __init__(
        self,
        authenticator: Authenticator,
        tickets: TicketOffice,
        revocations: RedisRevocations,
        limiter: RateLimiter,
        clock: Clock,
        settings: GateSettings,
    ) -> None:
        self._authenticator = authenticator
        self._tickets = tickets
        self._revocations = revocations
        self._limiter = limiter
        self._clock = clock
        self._settings = settings

    async def admit(self, connection_id: ConnectionId, auth: object, address: str) -> Admission:
        """Who connects. Raises Unauthorized, TokenExpired, Suspended, RateLimited or Unavailable."""
        allowance = self._settings.connects_per_minute
        await self._limiter.take(f"connect:{address}", per_minute=allowance, burst=allowance)
        try:
            given = wire.decode({} if auth is None else auth, HandshakeAuth)
        except InvalidPayload as error:
            raise Unauthorized(f"The handshake's auth does not fit: {error.message}") from None
        if given.token is not None:
            credentials = await self._authenticator.authenticate(given.token)
            actor, expires_at_ms = credentials.actor, credentials.expires_at_ms
        elif given.ticket is not None:
            actor = await self._tickets.take(given.ticket)
            expires_at_ms = self._clock.now_ms() + self._settings.ticket_session_s * 1000
        else:
            raise Unauthorized("Give a token or a ticket in the handshake's auth.")
        return Admission(Caller(actor.user_id, actor.session_id, connection_id, given.device), expires_at_ms)

    async def recheck(self, session_id: SessionId) -> None:
        """Close the session's connections if it has ended. Raises Unavailable if Redis does not answer."""
        await self._revocations.enforce(session_id)

"""The socket handshake: who connects, by access token or ticket."""

from typing import Annotated, Protocol

from msgspec import Meta

from hub.gate.revocations import RedisRevocations
from hub.gate.settings import GateSettings
from hub.gate.tickets import TicketOffice
from hub.kernel import wire
from hub.kernel.addresses import counted
from hub.kernel.clock import Clock
from hub.kernel.errors import InvalidPayload, TokenExpired, Unauthorized
from hub.kernel.events import Actor, Caller, DeviceKind
from hub.kernel.ids import ConnectionId, SessionId
from hub.kernel.ports import Admission, Authenticator, Places, RateLimiter, Sessions
from hub.kernel.recovery import Claim, TicketHolder
from hub.kernel.wire import Wire


class HandshakeAuth(Wire, forbid_unknown_fields=False):
    """``auth`` of a CONNECT packet. Unknown fields are let through: clients add their own (``pid``, ``offset``)."""

    token: Annotated[str, Meta(max_length=4096)] | None = None
    ticket: Annotated[str, Meta(max_length=200)] | None = None
    device: Annotated[str, Meta(max_length=64)] = "unknown"
    device_kind: DeviceKind = "other"

    def caller(self, actor: Actor, connection_id: ConnectionId) -> Caller:
        """Who speaks over the connection."""
        return Caller(actor.user_id, actor.session_id, connection_id, self.device, self.device_kind)


class SpentTickets(Protocol):
    """Remembers with which ticket a connection was made. Implemented in hub.cluster."""

    async def holder(self, pid: str, ticket: str) -> TicketHolder | None:
        """Whom a ticket had let in, if the connection of ``pid`` was made with it. Raises Unavailable."""
        ...


class Handshake:
    """Checks every CONNECT. Implements hub.kernel.ports.Gate."""

    def __init__(
        self,
        authenticator: Authenticator,
        sessions: Sessions,
        tickets: TicketOffice,
        revocations: RedisRevocations,
        limiter: RateLimiter,
        clock: Clock,
        settings: GateSettings,
        spent: SpentTickets,
        places: Places,
    ) -> None:
        self._authenticator = authenticator
        self._spent = spent
        self._places = places
        self._sessions = sessions
        self._tickets = tickets
        self._revocations = revocations
        self._limiter = limiter
        self._clock = clock
        self._settings = settings

    async def admit(self, connection_id: ConnectionId, auth: object, address: str) -> Admission:
        """Who connects. Raises Unauthorized, TokenExpired, Suspended, RateLimited or Unavailable."""
        allowance = self._settings.connects_per_minute
        await self._limiter.take(f"connect:{counted(address)}", per_minute=allowance, burst=allowance)
        try:
            given = wire.decode({} if auth is None else auth, HandshakeAuth)
        except InvalidPayload as error:
            raise Unauthorized(f"The handshake's auth does not fit: {error.message}") from None
        if given.token is not None:
            credentials = await self._authenticator.authenticate(given.token)
            actor, expires_at_ms = credentials.actor, credentials.expires_at_ms
        elif given.ticket is not None:
            return await self._by_ticket(given, connection_id, Claim.of(auth))
        else:
            raise Unauthorized("Give a token or a ticket in the handshake's auth.")
        return Admission(given.caller(actor, connection_id), expires_at_ms)

    async def _by_ticket(self, given: HandshakeAuth, connection_id: ConnectionId, claim: Claim | None) -> Admission:
        ticket = given.ticket or ""
        ends_at_ms, spent = self._clock.now_ms() + self._settings.ticket_session_s * 1000, False
        try:
            actor = await self._tickets.take(ticket)
        except Unauthorized:
            # A client that comes back may have nothing but the ticket that its connection was made with.
            holder = None if claim is None else await self._spent.holder(claim.pid, ticket)
            if holder is None:
                raise
            actor, ends_at_ms, spent = holder.actor, holder.ends_at_ms, True
            if ends_at_ms <= self._clock.now_ms():
                raise TokenExpired from None
        return Admission(given.caller(actor, connection_id), ends_at_ms, ticket, only_again=spent)

    async def confirm(self, caller: Caller) -> None:
        """Return if the sign-in may still be used. Raises Unauthorized, Suspended or Unavailable."""
        await self._sessions.check(caller)

    async def make_room(self, caller: Caller, here: int) -> None:
        """See hub.kernel.ports.Gate. The first on a node costs no round trip: hardly anybody has more."""
        most = self._settings.connections_per_user
        if most and here > 1:
            await self._places.take(caller, most)

    async def recheck(self, session_id: SessionId) -> None:
        """Close the session's connections if it has ended. Raises Unavailable if Redis does not answer."""
        await self._revocations.enforce(session_id)

"""Tickets: single-use passes for one socket connection, so that no long-lived secret travels in a handshake."""

import secrets
from datetime import datetime

import msgspec
from redis.asyncio import Redis

from hub.kernel.clock import Clock, from_ms
from hub.kernel.errors import Unauthorized
from hub.kernel.events import Actor
from hub.kernel.http import RestApi
from hub.kernel.ids import SessionId, UserId
from hub.kernel.limits import Limit
from hub.kernel.ports import RateLimiter, Sessions
from hub.kernel.wire import Wire

TICKET_LIFE_S = 30
"""From the answer to the handshake: a page load, not a pause."""
TICKETS = Limit(per_minute=60, burst=30)
"""Of one user."""


class Ticket(Wire):
    """A ticket and when it runs out."""

    ticket: str
    expires_at: datetime


class TicketOffice:
    """Issues and takes tickets. Each is bound to the session that asked and works once, on any node."""

    def __init__(self, redis: Redis, clock: Clock, limiter: RateLimiter, sessions: Sessions) -> None:
        self._redis = redis
        self._clock = clock
        self._limiter = limiter
        self._sessions = sessions

    async def issue(self, actor: Actor) -> Ticket:
        """Get a single-use ticket for a socket handshake, good for 30 seconds."""
        await self._limiter.take(f"ticket:{actor.user_id}", per_minute=TICKETS.per_minute, burst=TICKETS.burst)
        ticket = secrets.token_urlsafe(24)
        await self._redis.set(_key(ticket), msgspec.json.encode(actor), ex=TICKET_LIFE_S)
        return Ticket(ticket=ticket, expires_at=from_ms(self._clock.now_ms() + TICKET_LIFE_S * 1000))

    async def take(self, ticket: str) -> Actor:
        """Whom the ticket lets in.

        Raises Unauthorized if it is unknown, spent, late, or of a session that has ended, and Suspended.
        """
        stored = await self._redis.getdel(_key(ticket))
        if stored is None:
            raise Unauthorized("This ticket is unknown, spent or too old. Get a new one.")
        fields = msgspec.json.decode(stored, type=dict[str, str])
        actor = Actor(UserId(fields["user_id"]), SessionId(fields["session_id"]))
        await self._sessions.check(actor)
        return actor


def tickets_api(office: TicketOffice) -> RestApi:
    """The REST side: ``POST /realtime/tickets``."""
    api = RestApi("realtime")
    api.post("/realtime/tickets", office.issue, limit=TICKETS)
    return api


def _key(ticket: str) -> str:
    return f"hub:ticket:{ticket}"

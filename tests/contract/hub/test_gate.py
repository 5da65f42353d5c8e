"""hub.gate on a real Valkey: limits, tickets, revocations."""

from typing import Any

import pytest
from redis.asyncio import Redis

from core_api.accounts.authenticator import AccessTokenAuthenticator
from core_api.accounts.model import Status
from core_api.accounts.settings import AccountsSettings
from core_api.accounts.tokens import TokenVerifier
from hub.gate.handshake import Handshake
from hub.gate.rate_limits import RedisRateLimiter
from hub.gate.revocations import RedisRevocations
from hub.gate.settings import GateSettings
from hub.gate.tickets import TicketOffice
from hub.kernel.errors import RateLimited, Suspended, TokenExpired, Unauthorized, Unavailable
from hub.kernel.events import Actor, Caller
from hub.kernel.ids import ConnectionId, SessionId, UserId
from hub.kernel.recovery import TicketHolder
from hub.storage.redis import connect
from tests.support.clock import FrozenClock
from tests.support.rooms import RecordedRooms

ADA = Actor(UserId("ada"), SessionId("s1"))


@pytest.fixture
def revocations(redis: Redis) -> RedisRevocations:
    return RedisRevocations(redis, RecordedRooms(), token_life_s=600)


class OneAccount:
    """Implements core_api.accounts.authenticator.Statuses."""

    status_now: Status = "active"

    async def status(self, user_id: UserId) -> Status | None:
        return self.status_now


@pytest.fixture
def account() -> OneAccount:
    return OneAccount()


@pytest.fixture
def office(redis: Redis, revocations: RedisRevocations, account: OneAccount) -> TicketOffice:
    verifier = TokenVerifier([], AccountsSettings(), FrozenClock())
    sessions = AccessTokenAuthenticator(verifier, revocations, account)
    return TicketOffice(redis, FrozenClock(), RedisRateLimiter(redis), sessions)


async def test_the_burst_passes_and_the_next_one_is_told_how_long_to_wait(redis: Redis) -> None:
    limiter = RedisRateLimiter(redis)
    for _ in range(5):
        await limiter.take("ada", per_minute=60, burst=5)
    with pytest.raises(RateLimited) as caught:
        await limiter.take("ada", per_minute=60, burst=5)
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 1
    await limiter.take("bob", per_minute=60, burst=5)


async def test_a_limiter_without_redis_lets_through() -> None:
    await RedisRateLimiter(connect("unix:///nowhere/v.sock", size=2)).take("ada", per_minute=1, burst=1)


async def test_a_ticket_works_once(office: TicketOffice) -> None:
    ticket = await office.issue(ADA)
    assert await office.take(ticket.ticket) == ADA
    with pytest.raises(Unauthorized):
        await office.take(ticket.ticket)


async def test_a_ticket_of_a_revoked_session_lets_nobody_in(
    office: TicketOffice, revocations: RedisRevocations
) -> None:
    ticket = await office.issue(ADA)
    await revocations.revoke(ADA.session_id, "signed_out")
    with pytest.raises(Unauthorized):
        await office.take(ticket.ticket)


async def test_a_ticket_of_a_suspended_person_says_so(
    office: TicketOffice, revocations: RedisRevocations, account: OneAccount
) -> None:
    ticket = await office.issue(ADA)
    account.status_now = "suspended"
    await revocations.revoke_all(ADA.user_id, [ADA.session_id], "suspended")
    with pytest.raises(Suspended):
        await office.take(ticket.ticket)


async def test_revoking_all_sessions_refuses_each_and_closes_every_connection_of_the_person(redis: Redis) -> None:
    rooms = RecordedRooms()
    revocations = RedisRevocations(redis, rooms, token_life_s=600)
    sessions = [SessionId(f"s{number}") for number in range(1201)]
    await revocations.revoke_all(ADA.user_id, sessions, "suspended")
    assert all([await revocations.is_revoked(session) for session in sessions])
    assert not await revocations.is_revoked(SessionId("another"))
    assert rooms.disconnected == ["user:ada"]
    assert 590 < await redis.ttl("hub:revoked:s1200") <= 600


async def test_without_sessions_that_have_tokens_connections_are_closed_all_the_same(redis: Redis) -> None:
    rooms = RecordedRooms()
    await RedisRevocations(redis, rooms, token_life_s=600).revoke_all(ADA.user_id, [], "suspended")
    assert rooms.disconnected == ["user:ada"]


async def test_revoking_closes_the_sessions_connections(redis: Redis) -> None:
    rooms = RecordedRooms()
    revocations = RedisRevocations(redis, rooms, token_life_s=600)
    assert not await revocations.is_revoked(ADA.session_id)
    await revocations.revoke(ADA.session_id, "signed_out")
    assert await revocations.is_revoked(ADA.session_id)
    assert rooms.disconnected == ["session:s1"]


async def test_a_recheck_closes_connections_of_a_revoked_session_and_no_other(redis: Redis) -> None:
    rooms = RecordedRooms()
    revocations = RedisRevocations(redis, rooms, token_life_s=600)
    await revocations.enforce(ADA.session_id)
    assert rooms.disconnected == []
    await revocations.revoke(ADA.session_id, "signed_out")
    await revocations.enforce(ADA.session_id)
    assert rooms.disconnected == ["session:s1", "session:s1"]


async def test_an_outage_is_neither_a_refusal_nor_a_pass() -> None:
    revocations = RedisRevocations(connect("unix:///nowhere/v.sock", size=2), RecordedRooms(), token_life_s=600)
    with pytest.raises(Unavailable):
        await revocations.is_revoked(ADA.session_id)
    with pytest.raises(Unavailable):
        await revocations.enforce(ADA.session_id)
    with pytest.raises(Unavailable):
        await revocations.revoke_all(ADA.user_id, [ADA.session_id], "suspended")


class ExpiredTokens:
    async def authenticate(self, access_token: str) -> None:
        raise TokenExpired


class Spent:
    """Every ticket is one that had let Ada in, until ``ends_at_ms``; without that, none is."""

    def __init__(self, ends_at_ms: int = 0) -> None:
        self._ends_at_ms = ends_at_ms

    async def holder(self, pid: str, ticket: str) -> TicketHolder | None:
        return TicketHolder(ADA, self._ends_at_ms) if self._ends_at_ms else None


class Roomy:
    """Places for everybody."""

    async def take(self, caller: Caller, most: int) -> None:
        pass


def handshake_with(
    office: TicketOffice,
    revocations: RedisRevocations,
    limiter: RedisRateLimiter,
    clock: FrozenClock,
    settings: GateSettings,
    *,
    spent_until_ms: int = 0,
) -> Handshake:
    tokens: Any = ExpiredTokens()
    return Handshake(tokens, tokens, office, revocations, limiter, clock, settings, Spent(spent_until_ms), Roomy())


async def test_a_spent_ticket_lets_nobody_back_in_after_its_sign_in_has_ended(
    redis: Redis, office: TicketOffice, revocations: RedisRevocations
) -> None:
    clock, limiter = FrozenClock(), RedisRateLimiter(redis)
    now, auth = clock.now_ms(), {"ticket": "spent", "pid": "A" * 22}
    still = handshake_with(office, revocations, limiter, clock, GateSettings(), spent_until_ms=now + 1)
    admission = await still.admit(ConnectionId("c1"), auth, "127.0.0.1")
    assert (admission.expires_at_ms, admission.only_again) == (now + 1, True)
    over = handshake_with(office, revocations, limiter, clock, GateSettings(), spent_until_ms=now)
    with pytest.raises(TokenExpired):
        await over.admit(ConnectionId("c1"), auth, "127.0.0.1")


@pytest.mark.parametrize("auth", [None, {}, [], "text", {"token": 1}, {"token": None}, {"ticket": "x" * 500}])
async def test_a_handshake_without_credentials_is_unauthorized(
    auth: object, redis: Redis, office: TicketOffice, revocations: RedisRevocations
) -> None:
    clock, limiter = FrozenClock(), RedisRateLimiter(redis)
    handshake = handshake_with(office, revocations, limiter, clock, GateSettings())
    with pytest.raises(Unauthorized):
        await handshake.admit(ConnectionId("c1"), auth, "127.0.0.1")


async def test_an_address_that_connects_too_often_waits(
    redis: Redis, office: TicketOffice, revocations: RedisRevocations
) -> None:
    settings, limiter = GateSettings(connects_per_minute=3), RedisRateLimiter(redis)
    handshake = handshake_with(office, revocations, limiter, FrozenClock(), settings)
    for _ in range(3):
        with pytest.raises(TokenExpired):
            await handshake.admit(ConnectionId("c1"), {"token": "t"}, "10.0.0.1")
    with pytest.raises(RateLimited):
        await handshake.admit(ConnectionId("c1"), {"token": "t"}, "10.0.0.1")


async def test_another_ipv6_address_of_the_same_line_is_no_new_allowance(
    redis: Redis, office: TicketOffice, revocations: RedisRevocations
) -> None:
    settings, limiter = GateSettings(connects_per_minute=3), RedisRateLimiter(redis)
    handshake = handshake_with(office, revocations, limiter, FrozenClock(), settings)
    for number in range(3):
        with pytest.raises(TokenExpired):
            await handshake.admit(ConnectionId("c1"), {"token": "t"}, f"2001:db8::{number}")
    with pytest.raises(RateLimited):
        await handshake.admit(ConnectionId("c1"), {"token": "t"}, "2001:db8::ff")
    with pytest.raises(TokenExpired):
        await handshake.admit(ConnectionId("c1"), {"token": "t"}, "2001:db8:0:1::1")

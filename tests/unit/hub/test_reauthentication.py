"""auth:refresh: whose token is taken, and what it is good for."""

from dataclasses import dataclass, field

import pytest

from core_api.accounts.authenticator import AccessTokenAuthenticator
from core_api.accounts.model import Status
from core_api.accounts.settings import AccountsSettings
from core_api.accounts.signing_key import new_key
from core_api.accounts.tokens import TokenSigner, TokenVerifier
from hub.gate.reauthentication import Reauthentication, reauthentication_events
from hub.kernel.clock import from_ms
from hub.kernel.errors import Forbidden, InvalidPayload, Suspended, TokenExpired, Unauthorized, Unavailable
from hub.kernel.events import Caller, EventRouter
from hub.kernel.ids import ConnectionId, SessionId, UserId, new_uuid
from tests.support.accounts import RecordedRevocations
from tests.support.clock import FrozenClock

SETTINGS = AccountsSettings(access_token_s=600)
ADA = Caller(UserId(new_uuid()), SessionId(new_uuid()), ConnectionId("a1"))


@dataclass
class OneConnection:
    """Implements hub.gate.reauthentication.Connections: Ada's connection."""

    expires_at_ms: int = 0

    def extend(self, connection_id: ConnectionId, expires_at_ms: int) -> int | None:
        if connection_id != ADA.connection_id:
            return None
        self.expires_at_ms = max(self.expires_at_ms, expires_at_ms)
        return self.expires_at_ms


@dataclass
class Gate:
    """What is around the event."""

    clock: FrozenClock = field(default_factory=FrozenClock)
    revocations: RecordedRevocations = field(default_factory=RecordedRevocations)
    connection: OneConnection = field(default_factory=OneConnection)
    status_now: Status = "active"

    def __post_init__(self) -> None:
        key = new_key()
        self.signer = TokenSigner(key, SETTINGS, self.clock)
        authenticator = AccessTokenAuthenticator(TokenVerifier([key], SETTINGS, self.clock), self.revocations, self)
        self.events: EventRouter = reauthentication_events(Reauthentication(authenticator, self.connection))

    async def status(self, user_id: UserId) -> Status | None:
        return self.status_now

    def token(self, *, user_id: UserId = ADA.user_id, session_id: SessionId = ADA.session_id) -> str:
        return self.signer.sign(user_id, session_id).text

    async def refresh(self, token: object, caller: Caller = ADA) -> object:
        return await self.events.dispatch("auth:refresh", caller, {"token": token})


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def test_a_newer_token_of_the_session_is_taken_and_its_end_told(gate: Gate) -> None:
    end = gate.clock.now_ms() + 600_000
    answer = {"expiresAt": from_ms(end).isoformat().replace("+00:00", "Z")}
    assert await gate.refresh(gate.token()) == answer
    assert await gate.refresh(gate.token()) == answer, "twice is harmless"
    assert gate.connection.expires_at_ms == end


async def test_an_older_token_shortens_nothing(gate: Gate) -> None:
    older = gate.token()
    gate.clock.advance(100)
    answer = await gate.refresh(gate.token())
    assert await gate.refresh(older) == answer


async def test_tokens_of_another_person_or_another_session_are_forbidden(gate: Gate) -> None:
    stranger, another = UserId(new_uuid()), SessionId(new_uuid())
    for token in (
        gate.token(user_id=stranger, session_id=another),
        gate.token(user_id=stranger),
        gate.token(session_id=another),
    ):
        with pytest.raises(Forbidden, match="another session"):
            await gate.refresh(token)
    assert gate.connection.expires_at_ms == 0


async def test_what_is_no_token_of_ours_is_unauthorized(gate: Gate) -> None:
    foreign = TokenSigner(new_key(), SETTINGS, gate.clock).sign(ADA.user_id, ADA.session_id).text
    for token in ("", "x", "a.b.c", foreign, gate.token()[:-4]):
        with pytest.raises(Unauthorized):
            await gate.refresh(token)


@pytest.mark.parametrize("token", [None, 1, ["x"], "x" * 4097])
async def test_a_token_of_another_shape_is_an_invalid_payload(gate: Gate, token: object) -> None:
    with pytest.raises(InvalidPayload):
        await gate.refresh(token)


async def test_an_expired_token_an_ended_session_and_a_suspension_are_told_apart(gate: Gate) -> None:
    token = gate.token()
    gate.revocations.revoked[ADA.session_id] = "signed_out"
    with pytest.raises(Unauthorized):
        await gate.refresh(token)
    gate.status_now = "suspended"
    with pytest.raises(Suspended):
        await gate.refresh(token)
    gate.clock.advance(600)
    with pytest.raises(TokenExpired):
        await gate.refresh(token)
    assert gate.connection.expires_at_ms == 0


async def test_an_outage_is_neither_a_refusal_nor_a_pass(gate: Gate) -> None:
    gate.revocations.down = True
    with pytest.raises(Unavailable):
        await gate.refresh(gate.token())
    assert gate.connection.expires_at_ms == 0


async def test_a_connection_that_is_gone_meanwhile_is_not_brought_back(gate: Gate) -> None:
    gone = Caller(ADA.user_id, ADA.session_id, ConnectionId("gone"))
    with pytest.raises(Unavailable):
        await gate.refresh(gate.token(), gone)

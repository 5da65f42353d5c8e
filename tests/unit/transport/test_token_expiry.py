"""When a connection is told that its token runs out, and when it is closed for it."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.kernel.clock import from_ms
from hub.kernel.ports import Admission
from hub.transport.connection import Connection
from hub.transport.engineio.websocket import CloseCode
from hub.transport.token_expiry import TokenExpiry
from tests.support.fake_loop import FakeLoop

LATE_S = 1.0
"""Two turns of the wheel."""


class LoopClock:
    """Wall-clock time that goes with a loop's; `ahead_s` is what somebody set it forward by."""

    def __init__(self, loop: FakeLoop) -> None:
        self._loop = loop
        self.ahead_s = 0.0

    def now_ms(self) -> int:
        return round((self._loop.now + self.ahead_s) * 1000)

    def now(self) -> Any:
        return from_ms(self.now_ms())


class Watched:
    """A connection with a token, and when what happened to it."""

    def __init__(self, loop: FakeLoop, expiry: TokenExpiry, expires_s: float) -> None:
        self._loop = loop
        self._expiry = expiry
        self.told_at: list[float] = []
        self.told: list[dict[str, Any]] = []
        self.closed_at: list[float] = []
        self.codes: list[int] = []
        session = SimpleNamespace(engine=SimpleNamespace(loop=loop), close=self._close)
        socket = SimpleNamespace(client=SimpleNamespace(session=session), emit=self._emit)
        admission = Admission(cast("Any", None), expires_at_ms=round(expires_s * 1000))
        self.connection = Connection(cast("Any", socket), cast("Any", None), admission, expiry)
        expiry.watch(self.connection)

    def refresh(self, expires_s: float) -> None:
        self.connection.expires_at_ms = round(expires_s * 1000)
        self._expiry.watch(self.connection)

    def _emit(self, name: str, payload: dict[str, Any]) -> None:
        assert name == "session:expiring"
        self.told_at.append(self._loop.now)
        self.told.append(payload)

    def _close(self, _reason: str, code: int, _text: str) -> None:
        self.closed_at.append(self._loop.now)
        self.codes.append(code)
        self._expiry.forget(self.connection)  # as Sockets does


@pytest.fixture
def loop() -> FakeLoop:
    return FakeLoop()


@pytest.fixture
def clock(loop: FakeLoop) -> LoopClock:
    return LoopClock(loop)


@pytest.fixture
def expiry(clock: LoopClock) -> TokenExpiry:
    return TokenExpiry(clock, 60)


def within(times: list[float], *expected_s: float) -> bool:
    """Whether things happened at these times, never earlier and a second later at most."""
    return len(times) == len(expected_s) and all(
        due <= came <= due + LATE_S for came, due in zip(times, expected_s, strict=True)
    )


@pytest.mark.parametrize(
    ("life_s", "told_s"),
    [(600, 540), (120, 60), (119, 59.5), (40, 20), (2, 1), (3_600, 3_540), (86_400, 86_340)],
    ids=lambda seconds: f"{seconds}s",
)
def test_a_connection_is_told_a_minute_before_the_end_or_halfway_and_closed_at_the_end(
    loop: FakeLoop, expiry: TokenExpiry, life_s: int, told_s: float
) -> None:
    one = Watched(loop, expiry, life_s)
    loop.advance(life_s + 700)
    assert within(one.told_at, told_s)
    assert within(one.closed_at, life_s)
    assert one.codes == [CloseCode.TOKEN_EXPIRED]
    assert one.told[0]["expiresAt"] == from_ms(life_s * 1000).isoformat().replace("+00:00", "Z")


def test_a_token_that_has_expired_during_its_handshake_closes_the_connection_at_once(
    loop: FakeLoop, expiry: TokenExpiry
) -> None:
    loop.advance(100)
    one = Watched(loop, expiry, 99)
    loop.advance(LATE_S)
    assert (len(one.closed_at), one.told_at) == (1, [])


def test_a_newer_token_puts_off_both_and_is_told_of_in_its_turn(loop: FakeLoop, expiry: TokenExpiry) -> None:
    one = Watched(loop, expiry, 600)
    loop.advance(560)
    one.refresh(1200)
    loop.advance(1200)
    assert within(one.told_at, 540, 1140)
    assert within(one.closed_at, 1200)


def test_nothing_is_due_of_a_connection_that_is_gone(loop: FakeLoop, expiry: TokenExpiry) -> None:
    one = Watched(loop, expiry, 600)
    expiry.forget(one.connection)
    expiry.forget(one.connection)
    loop.advance(1300)
    assert (one.told_at, one.closed_at) == ([], [])


def test_a_clock_that_was_set_back_closes_nobody_early(loop: FakeLoop, clock: LoopClock, expiry: TokenExpiry) -> None:
    one = Watched(loop, expiry, 600)
    loop.advance(10)
    clock.ahead_s = -300
    loop.advance(1300)
    assert within(one.told_at, 840)
    assert within(one.closed_at, 900)


def test_a_clock_that_was_set_forward_closes_within_one_turn_of_the_wheel(
    loop: FakeLoop, clock: LoopClock, expiry: TokenExpiry
) -> None:
    one = Watched(loop, expiry, 86_400)
    clock.ahead_s = 86_400
    loop.advance(601)
    assert len(one.closed_at) == 1


async def test_many_connections_take_one_timer_and_none_after_the_end(loop: FakeLoop, expiry: TokenExpiry) -> None:
    watched = [Watched(loop, expiry, 600 + number) for number in range(100)]
    assert len(loop._timers) == 1
    await expiry.close()
    loop.advance(1300)
    assert not any(one.closed_at for one in watched)

"""Trying out a connection before a call."""

from typing import cast

import pytest

from hub.kernel.errors import InvalidPayload, NotFound, Unavailable
from hub.kernel.events import Caller, EventRouter
from hub.kernel.wire import to_wire
from signaling.handlers import pre_call_events
from signaling.media.embedded.engine import Embedded
from signaling.media.embedded.wire import Measured
from signaling.media.engine import BadSignal, EngineDown, Leg
from signaling.pre_call import PreCall
from tests.support.call_hub import ALICE, DESK, PHONE, device, refused

GOOD = Measured(0.01, 40.0, 1_200_400.0, "good")


class FakeServer:
    """As much of signaling.media.embedded.engine.Embedded as is used."""

    def __init__(self) -> None:
        self.up = True
        self.rooms: dict[str, str] = {}
        """Whose offer is in each."""

    async def offer(self, room: str, leg: Leg, sdp: str, *, echo: bool = False) -> str:
        assert echo
        if not self.up:
            raise EngineDown("There is none.")
        if sdp == "bad":
            raise BadSignal("It is no good.")
        self.rooms[room] = leg.user_id
        return f"answer to {sdp}"

    async def quality(self, room: str, leg: Leg) -> Measured | None:
        if not self.up:
            raise EngineDown("There is none.")
        return GOOD if room in self.rooms else None

    async def close(self, room: str) -> None:
        if not self.up:
            raise EngineDown("There is none.")
        del self.rooms[room]


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def router(server: FakeServer) -> EventRouter:
    return pre_call_events(PreCall(cast("Embedded", server)))


async def test_a_connection_is_tried_out_and_judged(server: FakeServer, router: EventRouter) -> None:
    assert to_wire(await router.dispatch("call:test", DESK, {"sdp": "v=0"})) == {"sdp": "answer to v=0"}
    assert list(server.rooms.values()) == [ALICE]
    result = to_wire(await router.dispatch("call:test-result", DESK, {}))
    assert result == {"verdict": "good", "loss": 0.01, "roundTripMs": 40.0, "kbitPerS": 1200}


async def test_each_connection_has_its_own(server: FakeServer, router: EventRouter) -> None:
    for one in (DESK, device(ALICE, "laptop"), PHONE):
        await router.dispatch("call:test", one, {"sdp": "v=0"})
    assert len(server.rooms) == 3
    await router.dispatch("call:test-end", DESK, {})
    assert len(server.rooms) == 2
    await refused(router.dispatch("call:test-result", DESK, {}), NotFound)


async def test_it_ends_with_the_connection(server: FakeServer, router: EventRouter) -> None:
    await router.dispatch("call:test", DESK, {"sdp": "v=0"})
    (ended,) = router.disconnected
    for leaving in (DESK, DESK, PHONE):
        await ended(leaving)
    assert server.rooms == {}


async def test_what_cannot_be_done_is_told(server: FakeServer, router: EventRouter) -> None:
    await refused(router.dispatch("call:test-result", DESK, {}), NotFound)
    await refused(router.dispatch("call:test", DESK, {"sdp": "bad"}), InvalidPayload)
    await refused(router.dispatch("call:test", DESK, {"sdp": "v=0", "more": 1}), InvalidPayload)
    server.up = False
    await refused(router.dispatch("call:test", DESK, {"sdp": "v=0"}), Unavailable)
    await refused(router.dispatch("call:test-result", DESK, {}), Unavailable)
    leaving: Caller = DESK
    await router.disconnected[0](leaving)

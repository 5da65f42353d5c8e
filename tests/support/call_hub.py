"""A hub of calls without a network: every event through the router, over the model as a store."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import pytest

from hub.kernel.errors import HubError, Unavailable
from hub.kernel.events import Caller, EventRouter
from hub.kernel.ids import ConnectionId, RoomName, SessionId, UserId, new_uuid
from hub.kernel.tasks import Tasks
from signaling.carriage import Carriage
from signaling.deadlines import Deadlines
from signaling.handlers import call_events
from signaling.history import Before, PastCall
from signaling.ice import Ice
from signaling.legs import LocalLegs
from signaling.media.engines import Engines
from signaling.media.mesh import Mesh
from signaling.media.settings import MediaSettings
from signaling.moves import Moves
from signaling.placing import Placing
from signaling.relay import Relay
from signaling.service import CallService
from signaling.settings import CallSettings, IceSettings
from signaling.sweeper import CallSweeper
from signaling.telling import Telling
from signaling.told import Told
from tests.support.calls import ModelCallStore
from tests.support.clock import FrozenClock
from tests.support.media_engine import FakeEngine
from tests.support.rooms import RecordedRooms

EVERYBODY = ALICE, BOB, CAROL, DAVE = [UserId(new_uuid()) for _ in range(4)]
OFFER = {"type": "offer", "sdp": "v=0"}
ANSWER = {"type": "answer", "sdp": "v=0"}
CANDIDATES = {"type": "candidate", "candidates": [{"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0}]}


@dataclass
class Neighbours:
    """Implements Callees: everybody of these exists, and some block each other."""

    blocks: set[frozenset[str]] = field(default_factory=set)

    async def reachable(self, caller: UserId, callees: Collection[UserId]) -> frozenset[UserId]:
        there = [one for one in callees if one in EVERYBODY and frozenset((caller, one)) not in self.blocks]
        return frozenset(there)


@dataclass
class Lines:
    """Implements BusyLines, and forgets nothing."""

    calls: dict[UserId, str] = field(default_factory=dict)

    async def take(self, user_ids: Collection[UserId], call_id: str) -> None:
        self.calls.update(dict.fromkeys(user_ids, call_id))

    async def call_of(self, user_id: UserId) -> str | None:
        return self.calls.get(user_id)

    async def free(self, user_ids: Collection[UserId], call_id: str) -> None:
        for user_id in user_ids:
            if self.calls.get(user_id) == call_id:
                del self.calls[user_id]


@dataclass
class KeptCalls:
    """Implements what calls need of CallHistory. ``down`` makes it as unreachable as PostgreSQL can be."""

    past: dict[str, PastCall] = field(default_factory=dict)
    down: bool = False

    async def keep(self, past: PastCall) -> None:
        if self.down:
            raise Unavailable
        self.past.setdefault(past.call_id, past)

    async def page(self, user_id: UserId, before: Before | None, limit: int) -> list[PastCall]:
        raise NotImplementedError

    async def call(self, user_id: UserId, call_id: str) -> PastCall | None:
        return self.past.get(call_id)


class CallHub:
    """Two nodes could not be told from one: all state is in the store."""

    def __init__(
        self,
        settings: CallSettings = CallSettings(),  # noqa: B008 - frozen
        media: MediaSettings = MediaSettings(record=True),  # noqa: B008 - frozen
    ) -> None:
        self.clock, self.rooms, self.people = FrozenClock(), RecordedRooms(), Neighbours()
        self.store, self.legs = ModelCallStore(self.clock), LocalLegs()
        self.busy, self.history = Lines(), KeptCalls()
        self.store.line_of = self.busy.calls.get
        self.media, self.tasks = FakeEngine(there=False), Tasks()
        self.engines = Engines({"mesh": Mesh(), "embedded": self.media}, {"embedded": self.media.available}, self.tasks)
        telling = Telling(self.rooms, self.legs, self.engines)
        self.told_to_all = Told(self.store, self.rooms)
        moves = Moves(self.store, self.busy, self.history, telling, self.told_to_all, self.clock)
        placing = Placing(self.store, self.busy, moves, telling, self.people, self.legs, self.clock, settings)
        self.service = CallService(self.store, self.busy, moves, placing, telling, self.legs)
        self.deadlines = Deadlines(self.store, self.busy, moves, self.service, telling, self.legs, self.rooms)
        ice = Ice(IceSettings(stun_urls=("stun:a",)), self.clock)
        self.carriage = Carriage(moves, telling, self.engines, self.media, media)
        self.router: EventRouter = call_events(placing, self.service, self.deadlines, self.carriage, ice)
        self.sweeper = CallSweeper(self.deadlines, self.legs, settings)
        self.relay = Relay(self.store, moves, placing, telling, self.told_to_all)

    async def send(self, device: Caller, event: str, **payload: object) -> Any:
        return await self.router.dispatch(f"call:{event}", device, payload)

    async def ring(self, device: Caller, to: UserId) -> str:
        reply = await self.send(device, "initiate", to=to, type="video")
        return str(reply["callId"])

    async def connect(self) -> str:
        """A call that PHONE has accepted."""
        call_id = await self.ring(DESK, BOB)
        await self.send(PHONE, "accept", callId=call_id)
        self.rooms.emitted.clear()
        self.rooms.skipped.clear()
        return call_id

    def told(self, room: str) -> list[tuple[str, str]]:
        """Names and reasons or kinds of the events to a room."""
        events = self.rooms.events_to(RoomName(room))
        return [(one.event, str(getattr(one, "kind", "") or getattr(one, "reason", ""))) for one in events]


def device(user: UserId, name: str, session: str | None = None) -> Caller:
    return Caller(user, SessionId(session or name), ConnectionId(name))


DESK, PHONE, TABLET = device(ALICE, "desk"), device(BOB, "phone"), device(BOB, "tablet")


async def refused(attempt: Any, error: type[HubError]) -> HubError:
    with pytest.raises(error) as caught:
        await attempt
    return caught.value

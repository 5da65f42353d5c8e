from dataclasses import dataclass, field

import pytest

from hub.kernel.errors import Forbidden
from hub.kernel.ids import RoomName, UserId
from presence.schema import Typing, TypingUpdate
from presence.settings import PresenceSettings
from presence.typing_indicator import TypingIndicator
from tests.support.clock import FrozenClock
from tests.support.presence import caller
from tests.support.rooms import RecordedRooms

ROOM = RoomName("room:42")
HERE = Typing(room=ROOM)
ANN = caller(UserId("ann"), "a1")
ANN_TOO = caller(UserId("ann"), "a2")
BEN = caller(UserId("ben"), "b1")


@dataclass
class Scene:
    """Both connections of Ann, and Ben's, in one room."""

    rooms: RecordedRooms = field(default_factory=RecordedRooms)
    clock: FrozenClock = field(default_factory=FrozenClock)

    def __post_init__(self) -> None:
        self.typing = TypingIndicator(self.rooms, self.clock, PresenceSettings())
        self.rooms.members[ROOM] = {ANN.connection_id, ANN_TOO.connection_id, BEN.connection_id}

    def told(self) -> list[tuple[str, bool]]:
        """Who types, as the room was told."""
        events = self.rooms.events_to(ROOM)
        return [(event.user_id, event.typing) for event in events if isinstance(event, TypingUpdate)]


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_the_room_is_told_and_the_sender_is_not(scene: Scene) -> None:
    scene.typing.start(ANN, HERE)
    assert scene.told() == [("ann", True)]
    assert scene.rooms.skipped == [ANN.connection_id]


async def test_only_members_can_type(scene: Scene) -> None:
    scene.rooms.members[ROOM].discard(ANN.connection_id)
    with pytest.raises(Forbidden):
        scene.typing.start(ANN, HERE)
    with pytest.raises(Forbidden):
        scene.typing.stop(ANN, HERE)
    assert scene.told() == []


async def test_typing_that_is_not_renewed_ends_after_six_seconds_once(scene: Scene) -> None:
    scene.typing.start(ANN, HERE)
    scene.clock.advance(5.9)
    scene.typing.expire()
    assert scene.told() == [("ann", True)]
    scene.clock.advance(0.1)
    scene.typing.expire()
    scene.typing.expire()
    assert scene.told() == [("ann", True), ("ann", False)]


async def test_a_renewal_extends_and_is_told_every_two_seconds_at_most(scene: Scene) -> None:
    for _ in range(13):  # 0 s to 6 s
        scene.typing.start(ANN, HERE)
        scene.clock.advance(0.5)
    scene.typing.expire()
    assert scene.told() == [("ann", True)] * 4  # at 0, 2, 4 and 6 s


async def test_stop_is_told_once(scene: Scene) -> None:
    scene.typing.start(ANN, HERE)
    scene.typing.stop(ANN, HERE)
    scene.typing.stop(ANN, HERE)
    scene.typing.stop(BEN, HERE)
    assert scene.told() == [("ann", True), ("ann", False)]


async def test_after_a_stop_typing_is_told_anew_at_once(scene: Scene) -> None:
    scene.typing.start(ANN, HERE)
    scene.typing.stop(ANN, HERE)
    scene.typing.start(ANN, HERE)
    assert scene.told()[-1] == ("ann", True)


async def test_a_user_types_until_the_last_connection_stops(scene: Scene) -> None:
    scene.typing.start(ANN, HERE)
    scene.typing.start(ANN_TOO, HERE)
    scene.typing.stop(ANN, HERE)
    assert scene.told() == [("ann", True)]
    await scene.typing.disconnected(ANN_TOO)
    assert scene.told() == [("ann", True), ("ann", False)]


async def test_two_users_type_apart(scene: Scene) -> None:
    scene.typing.start(ANN, HERE)
    scene.typing.start(BEN, HERE)
    await scene.typing.disconnected(ANN)
    await scene.typing.disconnected(ANN)
    assert scene.told() == [("ann", True), ("ben", True), ("ann", False)]


async def test_leaving_the_room_ends_typing_at_the_next_sweep(scene: Scene) -> None:
    scene.typing.start(ANN, HERE)
    await scene.rooms.leave(ANN.connection_id, ROOM)
    scene.typing.expire()
    assert scene.told() == [("ann", True), ("ann", False)]

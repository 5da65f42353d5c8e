from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from hub.kernel.delivery import Delivery
from hub.kernel.errors import Forbidden, InvalidPayload
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, RoomName, UserId, user_room
from hub.kernel.sight import Visibility
from hub.kernel.wire import ServerEvent
from presence.schema import Typing, TypingUpdate
from presence.settings import PresenceSettings
from presence.typing_indicator import TypingIndicator
from tests.support.clock import FrozenClock
from tests.support.presence import Sights, caller
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
        self.sight = Sights()
        self.typing = TypingIndicator(self.rooms, self.clock, PresenceSettings(), self.sight)
        self.rooms.members[ROOM] = {ANN.connection_id, ANN_TOO.connection_id, BEN.connection_id}

    def told(self, room: RoomName = ROOM) -> list[tuple[str, bool]]:
        """Who types, as the room was told."""
        events = self.rooms.events_to(room)
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
    await scene.typing.expire()
    assert scene.told() == [("ann", True)]
    scene.clock.advance(0.1)
    await scene.typing.expire()
    await scene.typing.expire()
    assert scene.told() == [("ann", True), ("ann", False)]


async def test_a_renewal_extends_and_is_told_every_two_seconds_at_most(scene: Scene) -> None:
    for _ in range(13):  # 0 s to 6 s
        scene.typing.start(ANN, HERE)
        scene.clock.advance(0.5)
    await scene.typing.expire()
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
    await scene.typing.expire()
    assert scene.told() == [("ann", True), ("ann", False)]


# ---------------------------------------------------------------- over nodes


class LinkedRooms(RecordedRooms):
    """The rooms of a node, of which every node follows every room."""

    nodes: list["LinkedRooms"]

    def emit_volatile(
        self, rooms: RoomName | Iterable[RoomName], event: ServerEvent, *, skip: ConnectionId | None = None
    ) -> None:
        for node in self.nodes:
            RecordedRooms.emit_volatile(node, rooms, event, skip=skip)


@dataclass
class TwoNodes:
    """Ann is in the room with a connection on each of two nodes."""

    clock: FrozenClock = field(default_factory=FrozenClock)

    def __post_init__(self) -> None:
        self.here, self.there = (self._node(one) for one in (ANN, ANN_TOO))
        for node in (self.here, self.there):
            node.rooms.nodes = [self.here.rooms, self.there.rooms]

    def _node(self, of: Caller) -> Any:
        scene = Scene(LinkedRooms(), self.clock)
        scene.rooms.members[ROOM] = {of.connection_id}
        return scene

    def told(self) -> list[bool]:
        """What members were told, which must be the same on both nodes."""
        here, there = ([typing for _, typing in node.told()] for node in (self.here, self.there))
        assert here == there
        return here


@pytest.fixture
def nodes() -> TwoNodes:
    return TwoNodes()


async def test_one_user_on_two_nodes_starts_once_and_stops_with_the_last(nodes: TwoNodes) -> None:
    nodes.here.typing.start(ANN, HERE)
    nodes.clock.advance(0.5)
    nodes.there.typing.start(ANN_TOO, HERE)
    assert nodes.told() == [True]
    nodes.here.typing.stop(ANN, HERE)
    assert nodes.told() == [True]
    nodes.there.typing.stop(ANN_TOO, HERE)
    assert nodes.told() == [True, False]


async def test_renewals_of_two_nodes_are_not_shown_twice_as_often(nodes: TwoNodes) -> None:
    for _ in range(8):  # 4 s
        nodes.here.typing.start(ANN, HERE)
        nodes.there.typing.start(ANN_TOO, HERE)
        nodes.clock.advance(0.5)
    assert nodes.told() == [True, True]


async def test_what_a_dead_node_said_is_over_for_members_of_the_others_once(nodes: TwoNodes) -> None:
    nodes.there.typing.start(ANN_TOO, HERE)
    nodes.clock.advance(8.4)
    await nodes.here.typing.expire()
    assert nodes.here.told() == [("ann", True)]
    nodes.clock.advance(0.1)
    await nodes.here.typing.expire()
    await nodes.here.typing.expire()
    assert nodes.here.told() == [("ann", True), ("ann", False)]
    assert nodes.there.told() == [("ann", True)], "members elsewhere are for their own node to tell"


async def test_a_connection_that_is_gone_types_nowhere(scene: Scene) -> None:
    others = [RoomName(f"doc:{number}") for number in range(3)]
    for room in others:
        scene.rooms.members[room] = {ANN.connection_id, BEN.connection_id}
        scene.typing.start(ANN, Typing(room=room))
        scene.typing.start(BEN, Typing(room=room))
    await scene.typing.disconnected(ANN)
    assert {room: scene.told(room) for room in others} == {
        room: [("ann", True), ("ben", True), ("ann", False)] for room in others
    }


async def test_what_a_program_that_is_no_node_emits_is_shown_as_it_is(scene: Scene) -> None:
    event = TypingUpdate(room=ROOM, user_id="ann", typing=True)
    assert scene.typing.screen(Delivery.of([ROOM], event))
    assert scene.typing.screen(Delivery([ROOM], event.event, b'"anything"', skip=ANN.connection_id))


# ---------------------------------------------------------------- to a person

BENS = user_room(BEN.user_id)
TO_BEN = Typing(room=BENS)


@pytest.fixture
def direct(scene: Scene) -> Scene:
    """Nobody is in a room but their own."""
    scene.rooms.members = {
        user_room(ANN.user_id): {ANN.connection_id, ANN_TOO.connection_id},
        BENS: {BEN.connection_id},
    }
    return scene


async def start(scene: Scene, caller: Caller, payload: Typing) -> None:
    under_way = scene.typing.start(caller, payload)
    if under_way is not None:
        await under_way


async def test_typing_to_a_person_is_shown_where_they_type_back(direct: Scene) -> None:
    await start(direct, ANN, TO_BEN)
    direct.typing.stop(ANN, TO_BEN)
    events = direct.rooms.emitted
    assert events == [
        ([BENS], TypingUpdate(room="user:ann", user_id="ann", typing=True)),
        ([BENS], TypingUpdate(room="user:ann", user_id="ann", typing=False)),
    ]


async def test_typing_to_a_person_is_throttled_and_ends_by_itself_and_with_the_connection(direct: Scene) -> None:
    for _ in range(4):
        await start(direct, ANN, TO_BEN)
        direct.clock.advance(0.5)
    assert direct.told(BENS) == [("ann", True)]
    direct.clock.advance(6)
    await direct.typing.expire()
    await start(direct, ANN, TO_BEN)
    await direct.typing.disconnected(ANN)
    assert direct.told(BENS) == [("ann", True), ("ann", False)] * 2


async def test_a_block_shows_nothing_and_answers_the_same(direct: Scene) -> None:
    direct.sight.block(ANN.user_id, BEN.user_id)
    await start(direct, ANN, TO_BEN)
    direct.typing.stop(ANN, TO_BEN)
    assert direct.told(BENS) == []


async def test_a_block_ends_what_is_being_typed_at_the_next_renewal(direct: Scene) -> None:
    await start(direct, ANN, TO_BEN)
    direct.sight.block(ANN.user_id, BEN.user_id)
    for _ in range(3):
        direct.clock.advance(2)
        await start(direct, ANN, TO_BEN)
    assert direct.told(BENS) == [("ann", True), ("ann", False)]


@pytest.mark.parametrize("of", [user_room(ANN.user_id), BENS])
async def test_a_block_ends_what_is_being_typed_when_it_is_reviewed(direct: Scene, of: RoomName) -> None:
    assert not direct.typing.concerns(of)
    await start(direct, ANN, TO_BEN)
    assert direct.typing.concerns(of)
    assert not direct.typing.concerns(user_room(UserId("eve")))
    await direct.typing.review(of)
    direct.sight.block(ANN.user_id, BEN.user_id)
    await direct.typing.review(of)
    assert direct.told(BENS) == [("ann", True), ("ann", False)]
    assert not direct.typing.concerns(of)


async def test_whoever_is_not_to_see_that_one_is_there_does_not_see_one_type(direct: Scene) -> None:
    direct.sight.limits[BEN.user_id, ANN.user_id] = Visibility.NOTHING  # by choice of Ann
    await start(direct, ANN, TO_BEN)
    assert direct.told(BENS) == []


async def test_a_connection_that_goes_while_it_is_looked_at_shows_nothing(direct: Scene) -> None:
    under_way = direct.typing.start(ANN, TO_BEN)
    assert under_way is not None
    direct.rooms.members[user_room(ANN.user_id)].discard(ANN.connection_id)
    await under_way
    assert direct.told(BENS) == []


async def test_nobody_types_to_themselves(direct: Scene) -> None:
    with pytest.raises(InvalidPayload):
        direct.typing.start(ANN, Typing(room=user_room(ANN.user_id)))

"""hub.transport.copies: an event for several rooms comes once to each connection, whatever it joins and leaves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.delivery import Delivery
from hub.kernel.ids import RoomName
from hub.transport.copies import KEPT_S, MOST, Copies

FEED, POST, OWN = RoomName("feed"), RoomName("content:post"), RoomName("user:ann")
ROOMS = (FEED, POST, OWN)


class Scene:
    """Rooms of a node, and an event that comes to them one by one."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.rooms: dict[RoomName, set[str]] = {room: set() for room in ROOMS}
        self.copies = Copies(lambda room: self.rooms[room], lambda: self.now_s)

    def come(self, room: RoomName, copy_of: str = "e1") -> set[str]:
        """A copy comes; who is sent it."""
        delivery = Delivery([room], "content:new", b"{}", copy_of=copy_of)
        return self.rooms[room].difference(self.copies.have_had(delivery, copy_of))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_member_of_several_rooms_gets_the_first_copy(scene: Scene) -> None:
    scene.rooms[FEED], scene.rooms[POST] = {"a", "b"}, {"b", "c"}
    assert (scene.come(FEED), scene.come(POST)) == ({"a", "b"}, {"c"})
    assert scene.come(POST, "e2") == {"b", "c"}  # another event


def test_who_joins_an_earlier_room_between_the_copies_does_not_miss_it(scene: Scene) -> None:
    scene.rooms[POST] = {"a"}
    assert scene.come(FEED) == set()
    scene.rooms[FEED].add("a")
    assert scene.come(POST) == {"a"}


def test_who_leaves_an_earlier_room_between_the_copies_does_not_get_it_twice(scene: Scene) -> None:
    scene.rooms[FEED], scene.rooms[POST] = {"a"}, {"a"}
    assert scene.come(FEED) == {"a"}
    scene.rooms[FEED].clear()
    assert scene.come(POST) == set()


moves = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(ROOMS)), max_size=6)


@given(st.permutations(ROOMS), st.tuples(moves, moves, moves))
def test_whoever_is_in_a_room_when_its_copy_comes_gets_the_event_exactly_once(
    order: list[RoomName], moved: tuple[list[tuple[str, RoomName]], ...]
) -> None:
    scene, got, owed = Scene(), list[str](), set[str]()
    for room, moves in zip(order, moved, strict=True):
        for who, where in moves:
            scene.rooms[where] ^= {who}
        owed |= scene.rooms[room]
        got += scene.come(room)
    assert sorted(got) == sorted(owed)


def test_what_is_remembered_is_bounded_in_time_and_number(scene: Scene) -> None:
    scene.rooms[FEED] = {"a"}
    for number in range(MOST + 5):
        scene.come(FEED, f"e{number}")
    assert len(scene.copies) == MOST
    assert scene.come(FEED, f"e{MOST}") == set()
    scene.now_s = KEPT_S
    assert scene.come(FEED, "much later") == {"a"}
    assert len(scene.copies) == 1

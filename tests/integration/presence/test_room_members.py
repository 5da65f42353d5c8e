"""Looking at who is in a room, over a real Valkey."""

from collections.abc import Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from hub.kernel.errors import Forbidden, InvalidPayload
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, NodeId, RoomName, UserId
from hub.kernel.pages import encode_cursor
from presence.attendance.handlers import attendance_events
from presence.attendance.members import RoomMembers
from presence.attendance.model import Seat
from presence.attendance.store_redis import RedisAttendanceStore
from presence.schema import Presence, Presences
from tests.support.presence import caller
from tests.support.rooms import RecordedRooms

ROOM = RoomName("content:one")
READER = caller(UserId("u00"), "c00")


class Glance:
    """Implements presence.attendance.members.Sight: everybody but a few is seen, offline."""

    def __init__(self) -> None:
        self.hidden: set[str] = set()

    async def visible(self, caller: Caller, user_ids: Sequence[UserId]) -> Presences:
        shown = [user_id for user_id in user_ids if user_id not in self.hidden]
        return Presences(
            users=[Presence(user_id=one, status="offline", last_seen=None, devices=[], version=0) for one in shown]
        )


class Scene:
    """Twelve people in a room, the reader first."""

    def __init__(self, redis: Redis) -> None:
        self.store = RedisAttendanceStore(redis, large=200)
        self.rooms, self.sight = RecordedRooms({ROOM: {READER.connection_id}}), Glance()
        self.events = attendance_events(RoomMembers(self.store, self.sight, self.rooms))

    async def ask(self, **payload: object) -> Any:
        return await self.events.dispatch("presence:members", READER, {"room": ROOM, **payload})


@pytest.fixture
async def scene(redis: Redis) -> Scene:
    scene = Scene(redis)
    seats = [Seat(ROOM, UserId(f"u{number:02}"), ConnectionId(f"c{number:02}")) for number in range(12)]
    await scene.store.arrive(NodeId("one"), seats, 1_800_000_000_000)
    return scene


def ids(window: Any) -> list[str]:
    return [member["userId"] for member in window["members"]]


async def test_windows_show_everybody_once_by_arrival(scene: Scene) -> None:
    seen, window = list[str](), await scene.ask(limit=5)
    while "next" in window:
        seen += ids(window)
        window = await scene.ask(limit=5, cursor=window["next"])
        assert (window["room"], window["count"]) == (ROOM, 12)
    assert [*seen, *ids(window)] == [f"u{number:02}" for number in range(12)]


async def test_a_window_that_ends_with_the_last_person_is_the_last(scene: Scene) -> None:
    window = await scene.ask(limit=12)
    assert len(ids(window)) == 12
    assert "next" not in window


async def test_whoever_may_not_be_seen_is_left_out_and_the_list_goes_on(scene: Scene) -> None:
    scene.sight.hidden = {"u00", "u01", "u02", "u04"}
    first = await scene.ask(limit=3)
    assert ids(first) == []
    assert ids(await scene.ask(limit=3, cursor=first["next"])) == ["u03", "u05"]


async def test_only_those_in_the_room_are_shown_it(scene: Scene) -> None:
    scene.rooms.members.clear()
    with pytest.raises(Forbidden):
        await scene.ask()


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ({"cursor": "nonsense"}, "/cursor"),
        ({"cursor": encode_cursor("text")}, "/cursor"),
        ({"cursor": encode_cursor(-1)}, "/cursor"),
        ({"cursor": encode_cursor(2**60)}, "/cursor"),
        ({"limit": 0}, "/limit"),
        ({"limit": 101}, "/limit"),
        ({"room": "user:one"}, "/room"),
        ({"room": "room:one two"}, "/room"),
    ],
)
async def test_what_fits_nothing_is_refused_by_field(scene: Scene, payload: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidPayload) as refusal:
        await scene.ask(**payload)
    assert [error["pointer"] for error in refusal.value.details["errors"]] == [pointer]

"""hub.cluster.bus: what is published of one event for many rooms."""

from typing import Any

import pytest

from hub.cluster.bus import Bus, said_in
from hub.cluster.servers import servers_of
from hub.kernel.delivery import Delivery
from hub.kernel.ids import NodeId, RoomName, UserId, user_room
from hub.kernel.tasks import Tasks
from tests.support.bus_nodes import Said

FEED, POST = RoomName("feed"), RoomName("content:post")
FOLLOWERS = [user_room(UserId(f"{number:036}")) for number in range(500)]


@pytest.fixture
async def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[RoomName, bytes]]:
    """What a bus has published of an event, by room."""
    bus, published = Bus(servers_of("unix:///nowhere/v.sock"), NodeId("one"), Tasks()), list[tuple[RoomName, bytes]]()

    def keep(room: RoomName, event: bytes, **_more: Any) -> None:
        published.append((room, event))

    monkeypatch.setattr(bus, "_publish", keep)
    bus.emit(Delivery.of([FEED, POST, *FOLLOWERS, RoomName("last")], Said(number=1), None))
    return published


async def test_an_event_for_many_people_does_not_grow_with_the_square_of_their_number(
    published: list[tuple[RoomName, bytes]],
) -> None:
    assert sum(len(event) for room, event in published if room in FOLLOWERS) < 500 * 200


async def test_whoever_is_in_an_earlier_room_too_is_left_out(published: list[tuple[RoomName, bytes]]) -> None:
    others = {room: said.others for room, event in published if isinstance(said := said_in(room, event), Delivery)}
    assert others[FEED] == []
    assert others[POST] == [FEED]
    assert others[FOLLOWERS[-1]] == [FEED, POST]
    assert others[RoomName("last")] == [FEED, POST, *FOLLOWERS]

"""hub.cluster.outlet: what is published of one event for many rooms."""

import pytest

from hub.cluster.bus import said_in
from hub.cluster.outlet import Outlet
from hub.cluster.publisher import Outgoing
from hub.cluster.servers import servers_of
from hub.cluster.shard_commands import ShardCommands
from hub.kernel.delivery import Delivery
from hub.kernel.ids import RoomName, UserId, user_room
from tests.support.bus_nodes import Said

FEED, POST = RoomName("feed"), RoomName("content:post")
FOLLOWERS = [user_room(UserId(f"{number:036}")) for number in range(500)]


@pytest.fixture
async def published(monkeypatch: pytest.MonkeyPatch) -> list[Outgoing]:
    """What is published of an event."""
    outlet, published = Outlet([ShardCommands(0, servers_of("unix:///nowhere/v.sock"))], "one"), list[Outgoing]()
    monkeypatch.setattr(outlet, "_publish", published.append)
    outlet.emit(Delivery.of([FEED, POST, *FOLLOWERS, RoomName("last")], Said(number=1), None))
    return published


async def test_an_event_for_many_people_does_not_grow_with_the_square_of_their_number(
    published: list[Outgoing],
) -> None:
    assert sum(len(one.event) for one in published if one.room in FOLLOWERS) < 500 * 200


async def test_whoever_is_in_an_earlier_room_too_is_left_out(published: list[Outgoing]) -> None:
    said = {one.room: said_in(RoomName(one.room), one.event) for one in published}
    others = {room: event.others for room, event in said.items() if isinstance(event, Delivery)}
    assert others[FEED] == []
    assert others[POST] == [FEED]
    assert others[FOLLOWERS[-1]] == [FEED, POST]
    assert others["last"] == [FEED, POST, *FOLLOWERS]


async def test_copies_of_one_event_have_an_id_in_common_that_no_other_event_has(published: list[Outgoing]) -> None:
    first, *rest = [said_in(RoomName(one.room), one.event) for one in published]
    assert isinstance(first, Delivery)
    assert first.copy_of
    assert all(isinstance(one, Delivery) and one.copy_of == first.copy_of for one in rest)
    assert len({one.message_id for one in published}) == len(published)  # and are published each by itself


async def test_an_event_for_one_room_carries_nothing_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    outlet, published = Outlet([ShardCommands(0, servers_of("unix:///nowhere/v.sock"))], "one"), list[Outgoing]()
    monkeypatch.setattr(outlet, "_publish", published.append)
    outlet.emit(Delivery.of([FEED], Said(number=1), None))
    said = said_in(FEED, published[0].event)
    assert isinstance(said, Delivery)
    assert said.copy_of is None

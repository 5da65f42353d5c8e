"""Events that wait for a subscriber, in bounded memory."""

from typing import Any

import pytest

from core_api.graphql.errors import SubscriptionLagged
from core_api.graphql.feed import Counter, Feed, listening
from hub.kernel.ids import RoomName
from tests.support.rooms import RecordedRooms


async def test_items_come_in_order() -> None:
    feed = Feed[int](3)
    for number in range(3):
        feed.put(number)
    assert [await anext(feed) for _ in range(3)] == [0, 1, 2]


async def test_one_item_too_many_ends_the_feed_and_frees_what_waited() -> None:
    feed = Feed[int](3)
    for number in range(100):
        feed.put(number)
    assert len(feed._waiting) == 0
    for _ in range(2):
        with pytest.raises(SubscriptionLagged):
            await anext(feed)


async def test_a_feed_listens_only_inside_its_block_and_picks() -> None:
    rooms = RecordedRooms()

    def pick(event: str, payload: Any) -> int | None:
        return payload if event == "wanted" else None

    room, other = RoomName("room:a"), RoomName("room:b")
    async with listening(rooms, {room: pick, other: pick}, 5) as feed:
        for name, event, payload in ((room, "wanted", 1), (room, "unwanted", 2), (other, "wanted", 3)):
            for listener in rooms.listeners[name]:
                listener(event, payload)
        assert [await anext(feed), await anext(feed)] == [1, 3]
    assert not any(rooms.listeners.values())


async def test_a_counter_starts_anew_when_it_is_read() -> None:
    counter = Counter()
    counter.add()
    counter.add()
    assert await counter.taken() == 2
    counter.add()
    assert await counter.taken() == 1

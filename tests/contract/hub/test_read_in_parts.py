"""hub.cluster.read_in_parts on a real Valkey: many rooms are caught up in parts, and no hole is passed meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest
from redis.asyncio import Redis

from hub.cluster.shard_commands import ShardRead
from tests.support.shards import ShardNode, shard_nodes
from tests.support.wait import until

ROOMS = [f"room {number}" for number in range(20)]
BetweenParts = Callable[[Callable[[], Awaitable[object]]], list[tuple[int, int]]]


@pytest.fixture
async def pair(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[ShardNode]]:
    """Two nodes that read three rooms, and four entries, at once. The second follows all rooms."""
    monkeypatch.setattr("hub.cluster.read_in_parts.ROOMS", 3)
    monkeypatch.setattr("hub.cluster.read_in_parts.ENTRIES", 4)
    monkeypatch.setattr("hub.cluster.subscriptions.AT_ONCE", 3)
    async with shard_nodes(redis_url, "one", "two") as nodes:
        for room in ROOMS:
            await nodes[1].follow(room)
        yield nodes


@pytest.fixture
def between_parts(pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch) -> BetweenParts:
    """Has something happen before each part that the second node reads. Gives how many rooms and entries each had."""

    def use(happen: Callable[[], Awaitable[object]]) -> list[tuple[int, int]]:
        commands, parts = pair[1].commands, list[tuple[int, int]]()
        read_part = commands.read_part

        async def disturbed(wanted: Sequence[tuple[str, int | None]], most: int, upto: int | None) -> ShardRead:
            if wanted:
                await happen()
            read = await read_part(wanted, most, upto)
            parts.append((len(wanted), sum(len(room.entries) for room in read.rooms)))
            return read

        monkeypatch.setattr(commands, "read_part", disturbed)
        return parts

    return use


class Speaker:
    """Publishes numbers, to the rooms in turn."""

    def __init__(self, node: ShardNode) -> None:
        self._node = node
        self.said = 0

    async def say(self, count: int) -> None:
        for _ in range(count):
            self._node.publish(ROOMS[self.said % len(ROOMS)], str(self.said))
            self.said += 1
        await self._node.publisher.flushed()


def follow_order(node: ShardNode) -> list[int]:
    """What comes to a node, over all rooms, to be filled."""
    order: list[int] = []
    deliver = node.heard.deliver

    def noted(room: str, event: bytes, *, kept: bool) -> None:
        order.append(int(event))
        deliver(room, event, kept=kept)

    node.heard.deliver = noted  # type: ignore[method-assign]
    return order


async def test_everything_comes_once_and_in_one_order_while_events_go_on_between_the_parts(
    pair: list[ShardNode], between_parts: BetweenParts
) -> None:
    one, two = pair
    order, speaker = follow_order(two), Speaker(one)
    await speaker.say(50)
    two.link.hold()
    await speaker.say(70)
    parts = between_parts(lambda: speaker.say(7))
    two.link.close()
    await until(lambda: len(order) >= 120 and two.shard._up.is_set())
    await speaker.say(1)
    await until(lambda: len(order) == speaker.said)
    # The order of all rooms together: a position that passed a hole would show here.
    assert order == list(range(speaker.said))
    assert two.heard.lost == []
    assert len(parts) > len(ROOMS) // 3
    assert all(rooms <= 3 and entries <= 4 for rooms, entries in parts)


async def test_a_turn_of_the_loop_takes_so_many_events_and_no_more(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.shard.EVENTS_IN_A_TURN", 5)
    one, two = pair
    order, speaker = follow_order(two), Speaker(one)
    two.link.hold()
    await speaker.say(60)
    two.link.close()
    most = before = 0
    while len(order) < speaker.said:
        await asyncio.sleep(0)
        most, before = max(most, len(order) - before), len(order)
    assert order == list(range(60))
    assert most <= 5


async def test_a_room_that_has_missed_too_much_is_told_and_all_others_are_caught_up(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.read_in_parts.READ_LIMIT", 10)
    one, two = pair
    two.link.hold()
    for number in range(30):
        one.publish("room 0", str(number))
        one.publish(f"room {number % 5 + 1}", str(number))
    await one.publisher.flushed()
    two.link.close()
    await until(lambda: two.has_heard({f"room {number}": 6 for number in range(1, 6)}))
    assert two.heard.lost == ["room 0"]
    one.publish("room 0", "later")
    await until(lambda: two.heard.kept["room 0"] == ["(missed)", "later"])


async def test_when_all_rooms_together_have_missed_too_much_the_rest_is_told(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.read_in_parts.MOST", 30)
    one, two = pair
    speaker = Speaker(one)
    two.link.hold()
    await speaker.say(100)
    two.link.close()
    await until(lambda: two.shard.counts["rooms missed"])
    await speaker.say(len(ROOMS))
    await until(lambda: all(two.heard.kept.get(room, [""])[-1] == str(100 + at) for at, room in enumerate(ROOMS)))
    told, whole = set(two.heard.lost), [room for room in ROOMS if room not in two.heard.lost]
    assert 0 < len(told) < len(ROOMS)
    for room in whole:
        assert two.heard.kept[room] == [str(number) for number in range(ROOMS.index(room), 120, len(ROOMS))]


async def test_what_is_trimmed_between_the_parts_is_told(
    pair: list[ShardNode], between_parts: BetweenParts, redis: Redis
) -> None:
    one, two = pair
    speaker = Speaker(one)
    two.link.hold()
    await speaker.say(100)
    last = one.commands.stream(ROOMS[-1])
    between_parts(lambda: redis.delete(last))
    two.link.close()
    await until(lambda: two.heard.lost == [ROOMS[-1]])
    await speaker.say(len(ROOMS))
    await until(lambda: two.heard.kept[ROOMS[-1]] == ["(missed)", "119"])
    await until(lambda: two.has_heard(dict.fromkeys(ROOMS[:-1], 6)))


async def test_a_room_that_was_trimmed_while_it_went_on_is_anchored_and_told(
    pair: list[ShardNode], between_parts: BetweenParts, redis: Redis
) -> None:
    one, two = pair
    room, stream = ROOMS[-1], one.commands.stream(ROOMS[-1])
    two.link.hold()
    one.publish(room, "missed")
    await one.publisher.flushed()

    async def trim() -> None:
        one.publish(room, "trimmed too")
        await one.publisher.flushed()
        await redis.delete(stream)

    between_parts(trim)
    two.link.close()
    await until(lambda: two.heard.lost == [room])
    await until(lambda: two.shard._rooms[room] > 0)
    one.publish(room, "later")
    await until(lambda: two.heard.kept[room][-1] == "later")


async def test_an_epoch_that_begins_between_the_parts_is_told(
    pair: list[ShardNode], between_parts: BetweenParts, redis: Redis
) -> None:
    one, two = pair
    speaker = Speaker(one)
    await speaker.say(40)
    await until(lambda: two.has_heard(dict.fromkeys(ROOMS, 2)))
    parts = 0

    async def lose() -> None:
        nonlocal parts
        parts += 1
        if parts == 3:
            await redis.flushall()

    between_parts(lose)
    two.link.close()
    await until(lambda: two.heard.lost == [None])
    await until(two.shard._up.is_set)
    await speaker.say(20)
    await until(lambda: all(two.heard.kept[room][-1] == str(40 + at) for at, room in enumerate(ROOMS)))


async def test_rooms_are_followed_and_left_while_the_others_are_caught_up(
    pair: list[ShardNode], between_parts: BetweenParts
) -> None:
    one, two = pair
    speaker, followed = Speaker(one), list[asyncio.Task[None]]()
    two.link.hold()
    await speaker.say(100)

    async def come_and_go() -> None:
        if not followed:
            two.shard.leave(ROOMS[0])
            followed.append(asyncio.ensure_future(two.follow("new")))  # noqa: TID251 awaited below
            two.shard.leave(ROOMS[1])
            followed.append(asyncio.ensure_future(two.follow(ROOMS[1])))  # noqa: TID251 awaited below

    between_parts(come_and_go)
    two.link.close()
    await until(lambda: followed)
    await asyncio.gather(*followed)
    for room in (ROOMS[0], ROOMS[1], "new"):
        one.publish(room, "last")
    await until(lambda: two.heard.kept.get("new") == ["last"])
    await until(lambda: two.heard.kept.get(ROOMS[1]) == ["last"])
    assert ROOMS[0] not in two.heard.kept
    assert all(two.heard.kept[room] == [str(n) for n in range(at, 100, 20)] for at, room in enumerate(ROOMS) if at > 1)
    await until(lambda: not two.shard._subscriptions.unsubscribed)

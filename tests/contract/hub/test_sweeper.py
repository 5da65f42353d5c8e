"""hub.cluster.sweeper on a real Valkey: what a shard knows of rooms is bounded, and nobody loses anything by it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from hub.cluster.address import RedisAddress
from hub.cluster.chain import is_complete
from hub.cluster.link import Down
from hub.cluster.read_in_parts import read_in_parts
from hub.cluster.sweeper import Sweeper
from tests.support.shards import ShardNode, shard_nodes
from tests.support.wait import until


@pytest.fixture
async def pair(redis_url: str) -> AsyncIterator[list[ShardNode]]:
    async with shard_nodes(redis_url, "one", "two") as nodes:
        yield nodes


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every number that was given before the last round is old."""
    monkeypatch.setattr("hub.cluster.sweeper.KEPT_MS", 0)


async def rounds(node: ShardNode, count: int = 4) -> None:
    """Have everything looked at so many times. What is silent and not followed is forgotten in the fourth."""
    sweeper = Sweeper(node.commands)
    for _ in range(count):
        await sweeper.sweep()
        while sweeper._cursor != "0":
            await sweeper.sweep()


async def publish_in_passing(node: ShardNode, *rooms: str) -> None:
    """Events of these rooms, which nobody follows any more when this returns."""
    await asyncio.gather(*map(node.follow, rooms))
    for room in rooms:
        node.publish(room, "old")
    await node.publisher.flushed()
    for room in rooms:
        node.shard.leave(room)
    await node.shard.mark()


async def publish_and_forget(node: ShardNode, redis: Redis, *rooms: str) -> None:
    """Events of these rooms, which are gone and forgotten when this returns."""
    await publish_in_passing(node, *rooms)
    await rounds(node)
    for room in rooms:
        assert await redis.hget(node.commands.last, room) is None
        await redis.delete(node.commands.stream(room))


@pytest.mark.usefixtures("hasty")
async def test_a_shard_forgets_where_rooms_stand_that_are_silent_and_that_nobody_follows(
    pair: list[ShardNode], redis: Redis
) -> None:
    one, _ = pair
    for turn in range(8):
        await publish_in_passing(one, *(f"room {turn} {number}" for number in range(200)))
        assert await redis.hlen(one.commands.last) >= 200
        await rounds(one, 1)
        assert await redis.hlen(one.commands.last) <= 800
    await rounds(one)
    assert await redis.exists(one.commands.last, one.commands.idle) == 0


async def test_no_room_is_forgotten_whose_events_are_kept(pair: list[ShardNode], redis: Redis) -> None:
    one, _ = pair
    await publish_in_passing(one, "lobby")
    await rounds(one)
    assert await redis.hlen(one.commands.last) == 1


@pytest.mark.usefixtures("hasty")
async def test_no_room_is_forgotten_that_is_followed_or_was_just_now(pair: list[ShardNode], redis: Redis) -> None:
    one, two = pair
    for room in ("lobby", "silent"):
        await two.follow(room)
    one.publish("lobby", "old")
    await one.publisher.flushed()
    await rounds(one)
    assert await redis.hlen(one.commands.last) == 2
    for room in ("lobby", "silent"):
        two.shard.leave(room)
    await two.shard.mark()
    await rounds(one, 2)
    assert await redis.hlen(one.commands.last) == 2
    await two.follow("lobby")
    two.shard.leave("lobby")
    await two.shard.mark()
    await rounds(one, 2)
    assert await redis.hkeys(one.commands.last) == [b"lobby"]
    await rounds(one, 1)
    assert await redis.hlen(one.commands.last) == 0


@pytest.mark.usefixtures("hasty")
async def test_who_was_told_of_nothing_for_a_long_time_is_known_to_have_missed_nothing(
    pair: list[ShardNode], redis: Redis
) -> None:
    one, two = pair
    one.publish("lobby", "heard")
    await one.publisher.flushed()
    for room in ("lobby", "silent"):
        await two.follow(room)
    position = await two.shard.mark()
    await publish_and_forget(one, redis, "another", "stranger")
    rooms = ["lobby", "silent", "another"]
    read = await read_in_parts(two.commands, rooms, dict.fromkeys(rooms, position).get)
    assert [is_complete(position, room.last, room.entries) for room in read.rooms] == [True, True, False]


@pytest.mark.usefixtures("hasty")
async def test_the_next_event_of_a_forgotten_room_is_heard_without_a_word_of_a_loss(
    pair: list[ShardNode], redis: Redis
) -> None:
    one, two = pair
    await publish_and_forget(one, redis, "lobby", "hall")
    for room in ("lobby", "hall", "silent"):
        await two.follow(room)
    one.publish("lobby", "new")
    one.publish("silent", "first")
    await until(lambda: two.has_heard({"lobby": 1, "silent": 1}))
    two.link.close()
    await until(lambda: two.shard.counts["links lost"])
    one.publish("hall", "new")
    await until(lambda: two.has_heard({"hall": 1}))
    assert await two.shard.mark(["lobby", "hall", "silent"])
    assert two.heard.kept == {"lobby": ["new"], "hall": ["new"], "silent": ["first"]}
    assert two.heard.lost == []
    assert two.shard.counts["holes"] + two.shard.counts["silent holes"] == 0


@pytest.mark.usefixtures("hasty")
async def test_who_was_away_while_a_room_was_forgotten_is_told_and_goes_on(
    pair: list[ShardNode], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    for room in ("lobby", "hall"):
        await two.follow(room)
    with monkeypatch.context() as away:

        async def nowhere() -> RedisAddress:
            raise Down("no way to Redis")

        away.setattr(two.commands, "locate", nowhere)
        two.shard._break()
        await publish_and_forget(one, redis, "lobby")
    # Whether something is missing in the other room cannot be told either.
    await until(lambda: set(two.heard.lost) == {"lobby", "hall"})
    await until(two.shard._up.is_set)
    for room in ("lobby", "hall"):
        one.publish(room, "new")
    await until(lambda: two.heard.kept == {"lobby": ["(missed)", "new"], "hall": ["(missed)", "new"]})


@pytest.mark.usefixtures("hasty")
async def test_an_event_that_may_have_been_forgotten_is_not_published_again(
    pair: list[ShardNode], redis: Redis
) -> None:
    one, two = pair
    before = await two.shard.mark()
    await publish_and_forget(one, redis, "lobby")
    await two.follow("lobby")
    keys = [one.commands.head, one.commands.last, one.commands.stream("lobby")]

    async def repeated(known: int) -> object:
        words = (10, 1000, one.commands.channel("lobby"), "again", "an id", "lobby", known, "")
        [number] = await one.commands.function("sparkle1_publish", keys, *words)
        return number

    assert await repeated(before) is None
    await until(lambda: two.heard.lost == ["lobby"])
    assert await repeated(await two.shard.mark()) is not None
    await until(lambda: two.heard.kept["lobby"] == ["(missed)", "again"])


async def test_an_event_for_a_room_that_nobody_follows_or_did_leaves_nothing_behind(
    pair: list[ShardNode], redis: Redis
) -> None:
    one, two = pair
    for number in range(3):
        one.publish(f"room {number}", "to nobody")
        one.publish("hall", "too")
    await one.publisher.flushed()
    assert await redis.exists(one.commands.last, *map(one.commands.stream, ("hall", "room 0", "room 1", "room 2"))) == 0
    await two.follow("hall")
    one.publish("hall", "heard")
    await until(lambda: two.heard.kept == {"hall": ["heard"]})
    assert two.heard.lost == []
    assert two.shard.counts["holes"] + two.shard.counts["silent holes"] == 0
    assert one.publisher.given_up == 0


async def test_a_room_that_was_left_keeps_events_for_who_comes_back(pair: list[ShardNode], redis: Redis) -> None:
    one, two = pair
    await two.follow("lobby")
    position = await two.shard.mark()
    two.shard.leave("lobby")
    await two.shard.mark()
    one.publish("lobby", "meanwhile")
    await one.publisher.flushed()
    read = await read_in_parts(two.commands, ["lobby"], {"lobby": position}.get)
    [lobby] = read.rooms
    assert [entry.event for entry in lobby.entries] == [b"meanwhile"]
    assert is_complete(position, lobby.last, lobby.entries)


@pytest.mark.usefixtures("hasty")
async def test_who_was_away_so_long_that_events_of_the_room_went_to_nobody_is_told(
    pair: list[ShardNode], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    await two.follow("lobby")
    with monkeypatch.context() as away:

        async def nowhere() -> RedisAddress:
            raise Down("no way to Redis")

        away.setattr(two.commands, "locate", nowhere)
        two.shard._break()
        await rounds(one)
        assert await redis.hlen(one.commands.last) == 0
        one.publish("lobby", "to nobody")
        await one.publisher.flushed()
        assert await redis.exists(one.commands.stream("lobby")) == 0
    await until(lambda: two.heard.lost == ["lobby"])
    await until(two.shard._up.is_set)
    one.publish("lobby", "new")
    await until(lambda: two.heard.kept == {"lobby": ["(missed)", "new"]})

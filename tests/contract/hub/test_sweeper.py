"""hub.cluster.sweeper on a real Valkey: what a shard knows of rooms is bounded, and nobody loses anything by it."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

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


async def rounds(node: ShardNode, count: int) -> None:
    """Have everything looked at so many times."""
    sweeper = Sweeper(node.commands)
    for _ in range(count):
        await sweeper.sweep()
        while sweeper._cursor != "0":
            await sweeper.sweep()


async def publish_and_forget(node: ShardNode, redis: Redis, *rooms: str) -> None:
    """Events of these rooms, which are gone and forgotten when this returns."""
    for room in rooms:
        node.publish(room, "old")
    await node.publisher.flushed()
    await rounds(node, 2)
    for room in rooms:
        assert await redis.hget(node.commands.last, room) is None
        await redis.delete(node.commands.stream(room))


@pytest.mark.usefixtures("hasty")
async def test_a_shard_forgets_where_silent_rooms_stand(pair: list[ShardNode], redis: Redis) -> None:
    one, _ = pair
    for turn in range(3):
        for number in range(1000):
            one.publish(f"room {turn} {number}", "once")
        await one.publisher.flushed()
        await rounds(one, 1)
        assert await redis.hlen(one.commands.last) <= 1000
    await rounds(one, 1)
    assert await redis.hlen(one.commands.last) == 0


async def test_no_room_is_forgotten_whose_events_are_kept(pair: list[ShardNode], redis: Redis) -> None:
    one, _ = pair
    one.publish("lobby", "young")
    await one.publisher.flushed()
    await rounds(one, 3)
    assert await redis.hlen(one.commands.last) == 1


@pytest.mark.usefixtures("hasty")
async def test_the_next_event_of_a_forgotten_room_is_heard_without_a_word_of_a_loss(
    pair: list[ShardNode], redis: Redis
) -> None:
    one, two = pair
    for room in ("lobby", "hall", "silent"):
        await two.follow(room)
    await publish_and_forget(one, redis, "lobby", "hall")
    await until(lambda: two.has_heard({"lobby": 1, "hall": 1}))
    one.publish("lobby", "new")
    one.publish("silent", "first")
    await until(lambda: two.has_heard({"lobby": 2, "silent": 1}))
    two.link.close()
    await until(lambda: two.shard.counts["links lost"])
    one.publish("hall", "new")
    await until(lambda: two.has_heard({"hall": 2}))
    assert await two.shard.mark(["lobby", "hall", "silent"])
    assert two.heard.kept == {"lobby": ["old", "new"], "hall": ["old", "new"], "silent": ["first"]}
    assert two.heard.lost == []
    assert two.shard.counts["holes"] + two.shard.counts["silent holes"] == 0


@pytest.mark.usefixtures("hasty")
async def test_who_was_away_while_a_room_was_forgotten_is_told_and_goes_on(pair: list[ShardNode], redis: Redis) -> None:
    one, two = pair
    for room in ("lobby", "hall"):
        await two.follow(room)
    await two.shard.mark()
    two.link.hold()
    await publish_and_forget(one, redis, "lobby")
    two.link.close()
    # Whether something is missing in the other room cannot be told either.
    await until(lambda: set(two.heard.lost) == {"lobby", "hall"})
    for room in ("lobby", "hall"):
        one.publish(room, "new")
    await until(lambda: two.heard.kept == {"lobby": ["(missed)", "new"], "hall": ["(missed)", "new"]})


@pytest.mark.usefixtures("hasty")
async def test_an_event_that_may_have_been_forgotten_is_not_published_again(
    pair: list[ShardNode], redis: Redis
) -> None:
    one, two = pair
    await two.follow("lobby")
    before = await two.shard.mark()
    await publish_and_forget(one, redis, "lobby")
    now = await two.shard.mark()
    keys = [one.commands.head, one.commands.last, one.commands.stream("lobby")]

    async def repeated(known: int) -> object:
        words = (one.commands.channel("lobby"), "lobby", "again", 10, 1000, "an id", known)
        return await one.commands.function("sparkle1_publish", keys, *words)

    assert await repeated(before) is None
    await until(lambda: two.heard.lost == ["lobby"])
    await publish_and_forget(one, redis, "hall")
    assert await repeated(await two.shard.mark()) is not None
    await until(lambda: two.heard.kept["lobby"][-1] == "again")
    assert now > before

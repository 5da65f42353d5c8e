"""hub.cluster.publisher on a real Valkey: each event once and in order, and none given up without a word."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from hub.cluster.functions import named
from hub.cluster.link import Down, Link, Refused, Reply, Word
from hub.cluster.publisher import SLOW_S, Outgoing
from hub.kernel.tasks import Tasks
from tests.support.late_network import late_network
from tests.support.shards import ShardNode, shard_nodes
from tests.support.wait import until


@pytest.fixture
async def pair(redis_url: str) -> AsyncIterator[list[ShardNode]]:
    async with shard_nodes(redis_url, "one", "two") as nodes:
        yield nodes


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last)]


async def test_a_reply_that_was_lost_does_not_double_its_event(pair: list[ShardNode]) -> None:
    one, two = pair
    await two.follow("lobby")
    for number in range(300):
        one.publish("lobby", f"{number}")
        if number % 20 == 19:
            await asyncio.sleep(0)
            one.commands.close()  # after the commands are written, before their replies are read
    await until(lambda: len(two.heard.kept.get("lobby", ())) >= 300)
    await one.publisher.flushed()
    assert await two.shard.mark()
    assert two.heard.kept["lobby"] == numbers(0, 300)


async def test_what_arrives_late_over_a_link_that_was_given_up_is_published_once(redis_url: str) -> None:
    async with late_network(redis_url) as network, shard_nodes(network.url, "one") as [one]:
        await one.follow("lobby")
        network.keep_back()
        one.publish("lobby", "once")
        await until(lambda: network.kept)
        one.shard._break()
        await one.publisher.flushed()
        await network.deliver()
        one.publish("lobby", "last")
        await until(lambda: "last" in one.heard.kept.get("lobby", ()))
        assert one.heard.kept["lobby"] == ["once", "last"]


@pytest.fixture
async def full(redis: Redis) -> AsyncIterator[Callable[[bool], Awaitable[None]]]:
    """Fills the memory of Redis, and frees it."""

    async def fill(is_full: bool) -> None:
        await redis.config_set("maxmemory", "1" if is_full else "0")

    yield fill
    await fill(False)


async def test_an_event_that_redis_has_no_memory_for_is_not_overtaken_by_the_next(
    pair: list[ShardNode], full: Callable[[bool], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    await two.follow("lobby")
    call_many, refused = Link.call_many, list[Reply]()

    def freed_within(link: Link, commands: Sequence[tuple[Word, ...]]) -> asyncio.Future[list[Reply]]:
        if refused or not any(named("sparkle1_publish") in command for command in commands):
            return call_many(link, commands)

        async def one_by_one() -> list[Reply]:
            await full(True)
            refused.extend(await call_many(link, commands[:1]))
            await full(False)
            return refused + await call_many(link, commands[1:])

        return asyncio.get_running_loop().create_task(one_by_one())

    monkeypatch.setattr(Link, "call_many", freed_within)
    for number in range(5):
        one.publish("lobby", f"{number}")
    await until(lambda: len(two.heard.kept.get("lobby", ())) >= 5)
    assert two.heard.kept["lobby"] == numbers(0, 5)
    assert isinstance(refused[0], Refused)


async def test_what_is_published_at_once_is_one_call_if_any_of_it_is_kept(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    await two.follow("lobby")
    call_many, written, calls = Link.call_many, list[list[Word]](), list[list[str]]()

    def noted(link: Link, commands: Sequence[tuple[Word, ...]]) -> asyncio.Future[list[Reply]]:
        written.append([command[0] for command in commands])
        calls.extend(
            [word.decode()[-1] for word in command if isinstance(word, bytes)]
            for command in commands
            if named("sparkle1_publish") in command
        )
        return call_many(link, commands)

    monkeypatch.setattr(Link, "call_many", noted)
    one.whisper("lobby", "a")
    one.whisper("lobby", "b")
    await one.publisher.flushed()
    one.publish("lobby", "0")
    await one.publisher.flushed()
    one.publish("lobby", "1")
    one.whisper("lobby", "c")
    await one.publisher.flushed()
    assert [names for names in written if "SPUBLISH" in names] == [["SPUBLISH", "SPUBLISH"]]
    assert calls == [["0"], ["1", "c"]]
    await until(lambda: len(two.heard.ephemeral.get("lobby", ())) == 3 and len(two.heard.kept.get("lobby", ())) == 2)
    assert two.heard.ephemeral["lobby"] == ["a", "b", "c"]
    assert two.heard.kept["lobby"] == ["0", "1"]


async def test_a_refused_ephemeral_event_holds_up_nothing(
    pair: list[ShardNode], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    await two.follow("lobby")
    ephemeral = one.publisher._ephemeral
    monkeypatch.setattr(  # the server says that another one has the shard
        one.publisher,
        "_ephemeral",
        lambda outgoing: (
            ("EVAL", "return redis.error_reply('MOVED 1 127.0.0.1:1')", 0)
            if outgoing.event.endswith(b"refused")
            else ephemeral(outgoing)
        ),
    )
    one.whisper("lobby", "refused")
    one.whisper("lobby", "behind it")
    await one.publisher.flushed()
    one.publish("lobby", "kept")
    await until(lambda: two.heard.kept)
    assert two.heard.ephemeral == {"lobby": ["behind it"]}
    assert two.heard.kept == {"lobby": ["kept"]}
    assert one.publisher.given_up == 0


async def test_when_the_memory_of_redis_is_full_nodes_hear_and_rooms_are_followed(
    pair: list[ShardNode], full: Callable[[bool], Awaitable[None]]
) -> None:
    one, two = pair
    await two.follow("lobby")
    await full(True)
    one.publish("lobby", "kept back")
    two.link.close()
    await two.follow("hall")
    await two.shard.mark()
    assert not two.heard.kept
    await full(False)
    await until(lambda: two.heard.kept == {"lobby": ["kept back"]})


async def test_an_event_of_which_nobody_knows_whether_it_came_is_given_up_and_told(
    pair: list[ShardNode], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    await two.follow("lobby")
    one.publish("lobby", "before")
    await until(lambda: two.heard.kept)
    call_many, lost = Link.call_many, list[Link]()

    def without_reply(link: Link, commands: Sequence[tuple[Word, ...]]) -> asyncio.Future[list[Reply]]:
        if lost or not any(named("sparkle1_publish") in command for command in commands):
            return call_many(link, commands)
        lost.append(link)

        async def outlived() -> list[Reply]:
            await call_many(link, commands)
            await redis.delete(one.commands.stream("lobby"))  # as it expires in a long outage
            link.close()
            return [Down("the reply is lost")] * len(commands)

        return asyncio.get_running_loop().create_task(outlived())

    monkeypatch.setattr(Link, "call_many", without_reply)
    one.publish("lobby", "once")
    await until(lambda: lost)
    await one.publisher.flushed()
    one.publish("lobby", "last")
    await until(lambda: "last" in two.heard.kept["lobby"])
    assert two.heard.kept["lobby"] == ["before", "once", "(missed)", "last"]
    assert one.publisher.given_up == 1


async def test_an_event_that_had_to_be_given_up_is_told_to_the_members_of_its_room(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    for room in ("lobby", "hall"):
        await two.follow(room)
    monkeypatch.setattr("hub.cluster.publisher.MAX_WAITING_BYTES", 100)
    for number in range(30):
        one.publish("lobby", f"{number:010}")
    one.publish("hall", "whole")
    await until(lambda: two.heard.lost == ["lobby"])
    await one.publisher.flushed()
    assert one.publisher.given_up == 21
    assert await two.shard.mark()
    assert two.heard.kept["hall"] == ["whole"]
    one.publish("lobby", "later")
    await until(lambda: two.heard.kept["lobby"][-1] == "later")


async def test_ephemeral_events_push_out_no_kept_ones_while_redis_does_not_answer(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    await two.follow("lobby")
    monkeypatch.setattr("hub.cluster.publisher.EPHEMERAL_BEHIND_BYTES", 100)
    monkeypatch.setattr("hub.cluster.publisher.MAX_WAITING_BYTES", 1000)
    with monkeypatch.context() as broken:

        async def down() -> Link:
            raise Down("no way to Redis")

        broken.setattr(one.commands, "link", down)
        for number in range(10):
            one.publish("lobby", f"{number}")
        for number in range(100):
            one.whisper("lobby", f"cursor {number:010}")
    await until(lambda: len(two.heard.kept.get("lobby", ())) >= 10)
    assert two.heard.kept["lobby"] == numbers(0, 10)
    assert len(two.heard.ephemeral["lobby"]) < 10
    assert one.publisher.given_up == 0


async def test_when_telling_of_a_loss_has_failed_it_is_repeated_and_publishing_goes_on(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    await two.follow("lobby")
    monkeypatch.setattr("hub.cluster.publisher.MAX_WAITING_BYTES", 100)
    function, failures = one.commands.function, iter([Down("the reply is lost")])

    async def failing(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "sparkle1_give_up" and (failure := next(failures, None)) is not None:
            raise failure
        return await function(name, *arguments, **options)

    monkeypatch.setattr(one.commands, "function", failing)
    for number in range(11):
        one.publish("lobby", f"{number:010}")
    await until(lambda: two.heard.lost == ["lobby"])
    one.publish("lobby", "later")
    await until(lambda: two.heard.kept["lobby"][-1] == "later")


async def test_an_event_given_up_while_another_loss_is_told_is_told_too(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    await two.follow("lobby")
    monkeypatch.setattr("hub.cluster.publisher.MAX_WAITING_BYTES", 100)
    function = one.commands.function

    async def slow(name: str, *arguments: Any, **options: Any) -> Any:
        reply = await function(name, *arguments, **options)
        if name == "sparkle1_give_up" and one.publisher.given_up == 1:
            await until(lambda: two.heard.lost == ["lobby"])
            for number in range(11, 22):
                one.publish("lobby", f"{number:010}")
        return reply

    monkeypatch.setattr(one.commands, "function", slow)
    for number in range(11):
        one.publish("lobby", f"{number:010}")
    await until(lambda: two.heard.lost == ["lobby", "lobby"])
    assert one.publisher.given_up == 2


async def test_a_bug_in_publishing_is_told_and_does_not_stop_the_rest(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    await two.follow("lobby")
    saw = one.commands.saw

    def broken(_number: int) -> None:
        monkeypatch.setattr(one.commands, "saw", saw)
        raise RuntimeError("a bug")

    monkeypatch.setattr(one.commands, "saw", broken)
    one.publish("lobby", "first")
    await until(lambda: "lobby" in two.heard.lost)
    one.publish("lobby", "second")
    await until(lambda: two.heard.kept["lobby"][-1] == "second")


async def test_what_is_no_stream_under_the_key_of_a_room_holds_up_nothing(pair: list[ShardNode], redis: Redis) -> None:
    one, two = pair
    await two.follow("lobby")
    one.publish("lobby", "before")
    await until(lambda: two.heard.kept)
    await redis.delete(one.commands.stream("lobby"))
    await redis.set(one.commands.stream("lobby"), "of another program")
    for number in range(10):
        one.publish("lobby", f"{number}")
    await until(lambda: two.heard.kept["lobby"] == ["before", *numbers(0, 10)])
    assert two.heard.lost == []
    assert one.publisher.given_up == 0


async def test_an_event_that_redis_never_takes_is_given_up_and_told_and_holds_up_no_other_room(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    for room in ("lobby", "hall"):
        await two.follow(room)
    call = one.publisher._call

    def refused(batch: Sequence[Outgoing], above: int | None = None) -> tuple[Word, ...]:
        words = call(batch, above)
        is_bad = any(outgoing.room == "lobby" for outgoing in batch)
        return (*words[:2], "no number", *words[3:]) if is_bad else words

    monkeypatch.setattr(one.publisher, "_call", refused)
    monkeypatch.setattr("hub.cluster.publisher.MAX_REFUSALS", 2)
    for number in range(5):
        one.publish("hall", f"{number}")
        one.publish("lobby", f"{number}")
    await until(lambda: len(two.heard.kept.get("hall", ())) == 5)
    await one.publisher.flushed()
    await two.shard.mark()
    assert one.publisher.given_up == 5
    assert set(two.heard.lost) == {"lobby"}
    assert two.heard.kept["hall"] == numbers(0, 5)


def own(event: str, *, age_s: float) -> Outgoing:
    """An event with an id of its own, which another node may have published for so long."""
    return Outgoing("lobby", event.encode(), "its-id", time.monotonic() - age_s)


async def test_an_event_that_another_node_may_have_published_is_published_once(pair: list[ShardNode]) -> None:
    one, two = pair
    await two.follow("lobby")
    one.publisher.publish(own("mine", age_s=0))
    for number in range(1234):  # more than are looked at by one command
        one.publish("lobby", f"{number}")
    await one.publisher.flushed()
    for node in (two, one):
        node.publisher.publish(own("again", age_s=1))
        await node.publisher.flushed()
    one.publisher.publish(own("late", age_s=2 * SLOW_S))
    one.publish("lobby", "last")
    await until(lambda: "last" in two.heard.kept.get("lobby", ()))
    assert two.heard.kept["lobby"] == ["mine", *numbers(0, 1234), "last"]


async def test_an_event_that_nobody_has_published_is_published_by_who_asks_first(pair: list[ShardNode]) -> None:
    one, two = pair
    await two.follow("lobby")
    for number in range(1234):
        one.publish("lobby", f"{number}")
    await one.publisher.flushed()
    for node in (one, two):
        node.publisher.publish(own(node.name, age_s=1))
        await node.publisher.flushed()
    await until(lambda: len(two.heard.kept.get("lobby", ())) == 1235)
    assert await two.shard.mark()
    assert two.heard.kept["lobby"] == [*numbers(0, 1234), "one"]


async def test_what_waits_for_redis_is_published_however_much_the_room_has_had(
    pair: list[ShardNode], redis: Redis
) -> None:
    """A thousand events of a room hid that nobody had published one that had waited for half a second."""
    one, two = pair
    await two.follow("lobby")
    for number in range(2000):
        two.publish("lobby", f"{number}")
    await two.publisher.flushed()
    await redis.client_pause(1000, all=False)
    one.publisher.publish(own("waited", age_s=0))
    await until(lambda: "waited" in two.heard.kept.get("lobby", ()))
    assert two.heard.kept["lobby"] == [*numbers(0, 2000), "waited"]


async def test_flushing_waits_for_what_was_published_before_and_for_nothing_else(
    pair: list[ShardNode], redis: Redis
) -> None:
    one, two = pair
    await two.follow("lobby")
    await redis.client_pause(300, all=False)
    one.publish("lobby", "first")
    await until(lambda: not one.publisher._waiting)  # it is on its way
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(one.publisher.flushed(), 0.05)
    tasks = Tasks()
    tasks.start(_publish_for_ever(one), name="publishing")
    await asyncio.wait_for(one.publisher.flushed(), 5)
    assert await redis.xlen(one.commands.stream("lobby")) == 1
    await asyncio.wait_for(one.publisher.flushed(), 5)
    await tasks.close()


async def _publish_for_ever(node: ShardNode) -> None:
    while True:
        node.publish("hall", "and on")
        await asyncio.sleep(0)


async def test_flushing_ends_with_the_events_that_are_given_up_when_their_rooms_are_told(
    pair: list[ShardNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    await two.follow("lobby")
    monkeypatch.setattr("hub.cluster.publisher.MAX_WAITING_BYTES", 10)
    for _ in range(3):
        one.publish("lobby", "eight by")
    await one.publisher.flushed()
    await two.shard.mark()
    assert one.publisher.given_up == 2
    assert two.heard.kept["lobby"] in (["(missed)", "eight by"], ["(missed)"])

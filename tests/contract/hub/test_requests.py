"""Requests between nodes on a real Valkey: who has answered is right, who has not is named in time."""

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec
import pytest
from redis.asyncio import Redis

from hub.cluster.bus import NODE_MESSAGE, Bus
from hub.cluster.leases import KEY, RedisNodes
from hub.cluster.requests import MAX_BYTES, SERVED_AT_ONCE, NodeRequests
from hub.cluster.servers import servers_of
from hub.kernel.errors import PayloadTooLarge, Unavailable
from hub.kernel.ids import NodeId
from hub.kernel.operations import Replies
from hub.kernel.tasks import Tasks
from hub.storage.redis import connect
from tests.support.wait import until

WITHIN_S = 2.0


class Number(msgspec.Struct):
    value: int


class Text(msgspec.Struct):
    value: str


class Node:
    """What a node has to ask others, and what it was told."""

    def __init__(self, redis: Redis, url: str, name: str, tasks: Tasks) -> None:
        self.id = NodeId(name)
        self.nodes = RedisNodes(redis, self.id, tasks)
        self.bus = Bus(servers_of(url), self.id, tasks)
        self.requests = NodeRequests(self.bus, self.nodes, tasks)
        self.told: list[tuple[str, int]] = []
        self.requests.serve("double", Number, self._double)
        self.requests.hear("told", Number, lambda sender, number: self.told.append((sender, number.value)))

    async def _double(self, number: Number) -> Number:
        return Number(number.value * 2)

    async def start(self) -> "Node":
        await self.nodes.start()
        await self.bus.start()
        return self

    async def ask(self, value: int = 21, within_s: float = WITHIN_S, name: str = "double") -> Replies[Number]:
        return await self.requests.ask(name, Number(value), Number, within_s=within_s)


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    started = Tasks()
    yield started
    await started.close()


@pytest.fixture
async def pair(redis: Redis, redis_url: str, tasks: Tasks) -> tuple[Node, Node]:
    one, two = [await Node(redis, redis_url, name, tasks).start() for name in ("one", "two")]

    async def see_each_other() -> bool:
        return await one.nodes.live() == await two.nodes.live() == {"one", "two"}

    await until(see_each_other)
    return one, two


async def test_every_node_answers_the_one_that_asks_among_them(pair: tuple[Node, Node]) -> None:
    replies = await pair[0].ask()
    assert (replies.answers, replies.missing) == ({"one": Number(42), "two": Number(42)}, [])
    others = await pair[0].requests.ask("double", Number(1), Number, within_s=WITHIN_S, others=True)
    assert others.answers == {"two": Number(2)}


async def test_answers_to_many_requests_at_once_are_not_mixed_up(pair: tuple[Node, Node]) -> None:
    asked = [node.ask(value) for value in range(40) for node in pair]
    doubled = [replies.answers[NodeId("two")].value for replies in await asyncio.gather(*asked)]
    assert doubled == [2 * value for value in range(40) for _ in pair]


async def test_a_node_that_is_dead_while_its_lease_runs_is_named_in_time(pair: tuple[Node, Node], redis: Redis) -> None:
    await redis.zadd(KEY, {"dead": 9e15})

    async def is_seen() -> bool:
        return "dead" in await pair[0].nodes.live()

    await until(is_seen)
    began = time.monotonic()
    replies = await pair[0].ask(within_s=0.3)
    assert time.monotonic() - began < 1
    assert (set(replies.answers), replies.missing) == ({"one", "two"}, ["dead"])


async def test_a_node_that_is_silent_fails_or_does_not_know_the_request_is_named(
    pair: tuple[Node, Node], caplog: pytest.LogCaptureFixture
) -> None:
    one, two = pair

    async def for_ever(_: Number) -> Number:
        await asyncio.Event().wait()
        return Number(0)

    async def fail(_: Number) -> Number:
        raise RuntimeError("a bug")

    async def other_shape(_: Number) -> Text:
        return Text("seven")

    for name, answer in (("silent", for_ever), ("failing", fail), ("other", other_shape)):
        two.requests.serve(name, Number, answer)
        one.requests.serve(name, Number, one._double)
    one.requests.serve("unknown", Number, one._double)
    for name in ("silent", "failing", "other", "unknown"):
        replies = await one.ask(name=name, within_s=0.3)
        assert (set(replies.answers), replies.missing) == ({"one"}, ["two"]), name
    assert "a bug" in caplog.text
    assert (await one.ask()).missing == [], "and goes on answering"


async def test_a_request_and_a_reply_that_are_too_large_pass_no_bus(pair: tuple[Node, Node]) -> None:
    one, two = pair

    async def too_much(_: Number) -> Text:
        return Text("a" * MAX_BYTES)

    two.requests.serve("much", Number, too_much)
    replies = await one.requests.ask("much", Number(1), Text, within_s=WITHIN_S, others=True)
    assert replies.missing == ["two"]
    with pytest.raises(PayloadTooLarge):
        await one.requests.ask("double", Text("a" * MAX_BYTES), Number, within_s=WITHIN_S)


async def test_a_node_that_is_asked_too_much_refuses_and_is_named(pair: tuple[Node, Node]) -> None:
    one, two = pair
    release = asyncio.Event()

    async def wait(number: Number) -> Number:
        await release.wait()
        return number

    two.requests.serve("wait", Number, wait)
    replies: list[Replies[Number]] = []

    async def ask() -> None:
        replies.append(await one.requests.ask("wait", Number(1), Number, within_s=10, others=True))

    async with asyncio.TaskGroup() as asking:
        for _ in range(SERVED_AT_ONCE + 1):
            asking.create_task(ask())
        await until(lambda: replies)
        assert [one.missing for one in replies] == [["two"]]
        release.set()
    assert sum(bool(one.answers) for one in replies) == SERVED_AT_ONCE


async def test_a_node_whose_link_breaks_meanwhile_is_asked_again(pair: tuple[Node, Node], redis: Redis) -> None:
    one, two = pair
    await redis.client_kill_filter(_type="pubsub")
    replies = await one.requests.ask("double", Number(4), Number, within_s=5, others=True)
    assert replies.answers == {"two": Number(8)}, two.id


async def test_an_answer_counts_only_from_the_node_that_was_asked(pair: tuple[Node, Node]) -> None:
    one, two = pair
    asked = asyncio.Event()

    async def be_silent(_: Number) -> Number:
        asked.set()
        await asyncio.Event().wait()
        return Number(0)

    two.requests.serve("silent", Number, be_silent)
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(one.requests.ask("silent", Number(1), Number, within_s=0.5, others=True))
        await asked.wait()
        for number in range(1, 100):
            one.requests.take(msgspec.msgpack.encode((1, "three", number, True, Number(7))))
    assert asking.result() == Replies({}, [two.id])


async def test_notices_come_in_the_order_of_their_sender(pair: tuple[Node, Node]) -> None:
    one, two = pair
    for value in range(50):
        one.requests.tell([two.id], "told", Number(value))
    await until(lambda: len(two.told) == 50)
    assert two.told == [("one", value) for value in range(50)]


async def test_rubbish_on_the_channel_of_a_node_harms_nobody(
    pair: tuple[Node, Node], redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = pair
    channel = "{s0}:n:two"
    for rubbish in (b"", b"\xc1", b"\x90", b"\x94\x00\xa3one\x01\xa6double\x01", b"\x94\x01\xa3one\x01\xc3\x01"):
        await redis.execute_command("SPUBLISH", channel, NODE_MESSAGE + rubbish)  # type: ignore[no-untyped-call]
    two.requests.take(msgspec.msgpack.encode((2, "one", "told", "no number")))
    replies = await one.ask()
    assert replies.answers[NodeId("two")] == Number(42)
    assert "not understood" in caplog.text


async def test_without_redis_nobody_is_asked_and_it_is_said(tasks: Tasks) -> None:
    nowhere = connect("unix:///nowhere/v.sock", size=2)
    node = Node(nowhere, "unix:///nowhere/v.sock", "one", tasks)
    with pytest.raises(Unavailable):
        await node.ask()
    await nowhere.aclose()

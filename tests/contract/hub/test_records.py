"""hub.cluster.records on a real Redis: one connection at a time has a record, whatever is repeated or cancelled."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from hub.cluster.bus import Bus
from hub.cluster.link import Down
from hub.cluster.records import Records, Taken
from hub.cluster.servers import servers_of
from hub.kernel.errors import Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, NodeId, RoomName, SessionId, UserId
from hub.kernel.tasks import Tasks
from tests.support.wait import until

PID = "p" * 22
LOBBY, HALL = RoomName("room:lobby"), RoomName("room:hall")


def caller(connection: str) -> Caller:
    return Caller(UserId("ada"), SessionId("login"), ConnectionId(connection))


class Node:
    """The records of a node, and the connections whose records others have taken."""

    def __init__(self, url: str, name: str, tasks: Tasks, shards: int = 1) -> None:
        self.taken_away: list[ConnectionId] = []
        self.bus = Bus(servers_of(url), NodeId(name), tasks, shards=shards)
        self.records = Records(self.bus, self.taken_away.append)

    async def open(self, connection: str = "a", pid: str = PID, **joined: int) -> None:
        rooms = {RoomName(f"room:{name}"): at for name, at in joined.items()}
        await self.records.open(pid, caller(connection), rooms, ticket=None, ends_at_ms=0)

    async def take(self, connection: str, pid: str = PID) -> Taken:
        taken = await self.records.take(pid, caller(connection))
        assert taken is not None
        return taken

    def repeats(self, monkeypatch: pytest.MonkeyPatch, *, before_the_second: Any = None) -> None:
        """Every function is run, its reply is lost, and it is run again."""
        commands = self.bus.commands_of(PID)
        once = commands.function

        async def twice(*arguments: Any, **more: Any) -> Any:
            await once(*arguments, **more)
            if before_the_second is not None:
                await before_the_second()
            return await once(*arguments, **more)

        monkeypatch.setattr(commands, "function", twice)


@pytest.fixture
async def pair(redis_url: str) -> AsyncIterator[tuple[Node, Node]]:
    tasks = Tasks()
    one, two = Node(redis_url, "one", tasks), Node(redis_url, "two", tasks)
    for node in (one, two):
        await node.bus.start()
    yield one, two
    await tasks.close()
    for node in (one, two):
        node.bus.close()


async def test_a_connection_that_has_lost_its_record_changes_nothing_and_learns_it(pair: tuple[Node, Node]) -> None:
    one, two = pair
    await one.open(lobby=7)
    await two.take("b")
    await one.records.moved(ConnectionId("a"), {LOBBY: None, HALL: 9})
    assert one.taken_away == ["a"]
    await one.records.end(ConnectionId("a"))
    assert (await one.take("c")).joined == {LOBBY: 7}


async def test_taking_that_is_repeated_is_taking_once(pair: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = pair
    await one.open(lobby=7)
    two.repeats(monkeypatch)
    taken = await two.take("b")
    assert taken.was_here
    assert taken.ids == ["a", "b"]


async def test_opening_that_is_repeated_late_takes_nothing_from_who_has_come_back(
    pair: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair

    async def come_back() -> None:
        await two.take("b")
        await two.records.moved(ConnectionId("b"), {HALL: 9})

    one.repeats(monkeypatch, before_the_second=come_back)
    await one.open(lobby=7)
    two.records.gone(ConnectionId("b"))
    await two.records.flushed()
    assert (await two.take("c")).joined == {LOBBY: 7, HALL: 9}


async def test_a_connection_that_goes_while_its_record_is_begun_is_not_kept_for_ever(
    pair: tuple[Node, Node], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    commands, asked, go_on = one.bus.commands_of(PID), asyncio.Event(), asyncio.Event()
    as_ever = commands.function

    async def slow(*arguments: Any, **more: Any) -> Any:
        asked.set()
        await go_on.wait()
        return await as_ever(*arguments, **more)

    monkeypatch.setattr(commands, "function", slow)
    async with asyncio.TaskGroup() as group:
        group.create_task(one.open())
        await asked.wait()
        one.records.gone(ConnectionId("a"))
        await asyncio.sleep(0)
        go_on.set()
    await one.records.flushed()
    assert not one.records.has(ConnectionId("a"))
    assert await redis.pttl("{s0}:back:" + PID) <= 120_000


async def test_a_record_that_could_not_be_begun_is_not_kept(
    pair: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair

    async def down(*_arguments: Any, **_more: Any) -> Any:
        raise Down("gone")

    monkeypatch.setattr(one.bus.commands_of(PID), "function", down)
    with pytest.raises(Unavailable):
        await one.open()
    assert not one.records.has(ConnectionId("a"))


async def test_a_change_that_is_cancelled_harms_neither_those_before_it_nor_those_after(
    pair: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    await one.open()
    commands, go_on, asked = one.bus.commands_of(PID), asyncio.Event(), list[str]()
    as_ever = commands.function

    async def held(name: str, *arguments: Any, **more: Any) -> Any:
        asked.append(str(arguments))
        await go_on.wait()
        return await as_ever(name, *arguments, **more)

    monkeypatch.setattr(commands, "function", held)
    async with asyncio.TaskGroup() as group:
        group.create_task(one.records.moved(ConnectionId("a"), {LOBBY: 5}))
        await until(lambda: asked)
        given_up = group.create_task(one.records.note(ConnectionId("a"), LOBBY, b"note"))
        group.create_task(one.records.moved(ConnectionId("a"), {LOBBY: None, HALL: 6}))
        await asyncio.sleep(0)
        given_up.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await given_up
        assert len(asked) == 1, "the next waits for the first all the same"
        go_on.set()
    assert (await two.take("b")).joined == {HALL: 6}


async def test_what_waited_for_a_change_that_was_cancelled_is_written(
    pair: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    await one.open()
    commands, first = one.bus.commands_of(PID), asyncio.Event()
    as_ever = commands.function

    async def hang(*arguments: Any, **more: Any) -> Any:
        monkeypatch.setattr(commands, "function", as_ever)
        first.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(commands, "function", hang)
    async with asyncio.TaskGroup() as group:
        before = group.create_task(one.records.note(ConnectionId("a"), LOBBY, b""))
        await first.wait()
        merged = group.create_task(one.records.moved(ConnectionId("a"), {LOBBY: 5}))
        await asyncio.sleep(0)
        second = asyncio.Event()

        async def hang_again(*arguments: Any, **more: Any) -> Any:
            monkeypatch.setattr(commands, "function", as_ever)
            second.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(commands, "function", hang_again)
        group.create_task(one.records.moved(ConnectionId("a"), {HALL: 6}))
        await asyncio.sleep(0)
        before.cancel()
        await second.wait()
        merged.cancel()
    assert (await two.take("b")).joined == {HALL: 6}


async def test_of_a_record_that_another_has_taken_nothing_is_renewed_and_its_connection_learns_it(
    pair: tuple[Node, Node], redis: Redis
) -> None:
    one, two = pair
    await one.open()
    await two.take("b")
    two.records.gone(ConnectionId("b"))
    await two.records.flushed()
    await one.records._renew()
    assert one.taken_away == ["a"]
    assert not one.records.has(ConnectionId("a"))
    assert await redis.pttl("{s0}:back:" + PID) <= 120_000


async def test_a_shard_that_does_not_answer_keeps_no_record_of_another_from_being_renewed(
    redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = Tasks()
    node = Node(redis_url, "one", tasks, shards=2)
    await node.bus.start()
    pids = {node.bus.commands_of(pid).index: pid for pid in map(str, range(100))}
    for pid in (pids[0], pids[1]):
        await node.open(f"of {pid}", pid)
        await redis.pexpire(f"{{s{node.bus.commands_of(pid).index}}}:back:{pid}", 1000)

    async def down(*_arguments: Any, **_more: Any) -> Any:
        raise Down("gone")

    monkeypatch.setattr(node.bus.commands_of(pids[0]), "function", down)
    await node.records._renew()
    assert await redis.pttl(f"{{s1}}:back:{pids[1]}") > 1000
    await tasks.close()
    node.bus.close()


async def test_a_note_is_kept_with_its_room_and_goes_with_it(pair: tuple[Node, Node]) -> None:
    one, two = pair
    await one.open(lobby=7, hall=8)
    for room in (LOBBY, HALL, RoomName("room:never joined")):
        await one.records.note(ConnectionId("a"), room, b"\x00note")
    await one.records.moved(ConnectionId("a"), {HALL: None})
    await one.records.moved(ConnectionId("a"), {HALL: 9})
    assert (await two.take("b")).notes == {LOBBY: b"\x00note"}

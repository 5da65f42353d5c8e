"""Events of one connection: those with one key in the order they came, and the end of all that are under way."""

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, SessionId, UserId
from hub.kernel.ports import Admission
from hub.kernel.wire import Nothing
from hub.transport.connection import Connection, UnderWay

NOBODY = Caller(UserId("u"), SessionId("s"), ConnectionId("c"))
NOTHING = Nothing()


def a_connection() -> Connection:
    engine = SimpleNamespace(loop=asyncio.get_running_loop())
    socket = SimpleNamespace(client=SimpleNamespace(session=SimpleNamespace(engine=engine)))
    admission = Admission(cast("Any", None), expires_at_ms=0)
    return Connection(cast("Any", socket), cast("Any", None), admission, cast("Any", None))


class Events:
    """Events that begin in order and end when they are told to. `log` is what happened."""

    def __init__(self) -> None:
        self.connection = a_connection()
        self.log: list[str] = []
        self.tasks: dict[str, asyncio.Task[Any]] = {}
        self._ends: dict[str, asyncio.Future[None]] = {}

    def begin(self, name: str, key: str = "key") -> None:
        loop = asyncio.get_running_loop()
        self._ends[name] = loop.create_future()
        turn = self.connection.in_order(key)
        self.tasks[name] = loop.create_task(turn.then(lambda *_: self._handle(name), NOBODY, NOTHING))
        self.tasks[name].add_done_callback(lambda _: turn.end())

    async def _handle(self, name: str) -> None:
        self.log.append(f"{name} begins")
        await self._ends[name]
        self.log.append(f"{name} ends")

    async def end(self, name: str, error: Exception | None = None) -> None:
        if error is None:
            self._ends[name].set_result(None)
        else:
            self._ends[name].set_exception(error)
        await settle()

    async def cancel(self, name: str) -> None:
        self.tasks[name].cancel()
        await settle()


def begun(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.get_running_loop().create_task(coroutine)


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_events_with_one_key_are_handled_one_after_the_other_in_their_order() -> None:
    events = Events()
    for name in "abc":
        events.begin(name)
    await settle()
    assert events.log == ["a begins"]
    await events.end("c")
    await events.end("a")
    assert events.log == ["a begins", "a ends", "b begins"]
    await events.end("b")
    assert events.log == ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]
    assert events.connection.turns == {}


async def test_events_with_other_keys_do_not_wait() -> None:
    events = Events()
    events.begin("a", "first")
    events.begin("b", "second")
    await settle()
    assert events.log == ["a begins", "b begins"]
    await events.end("b")
    await events.end("a")
    assert events.connection.turns == {}


async def test_one_that_comes_when_the_one_before_it_has_just_ended_does_not_wait() -> None:
    events = Events()
    events.begin("a")
    await settle()
    await events.end("a")
    events.begin("b")
    await settle()
    assert events.log[-1] == "b begins"
    await events.end("b")


async def test_one_that_fails_lets_the_next_begin() -> None:
    events = Events()
    events.begin("a")
    events.begin("b")
    await settle()
    await events.end("a", RuntimeError("broken"))
    assert events.log == ["a begins", "b begins"]
    await events.end("b")
    assert isinstance(events.tasks["a"].exception(), RuntimeError)
    assert events.connection.turns == {}


async def test_one_that_is_cancelled_while_it_runs_lets_the_next_begin() -> None:
    events = Events()
    events.begin("a")
    events.begin("b")
    await settle()
    await events.cancel("a")
    assert events.log == ["a begins", "b begins"]
    await events.end("b")
    assert events.connection.turns == {}


@pytest.mark.parametrize("comes", ["before", "after"])
async def test_the_next_of_one_that_is_cancelled_while_it_waits_still_waits_for_the_one_before(comes: str) -> None:
    events = Events()
    events.begin("a")
    events.begin("b")
    if comes == "before":
        events.begin("c")
    await settle()
    await events.cancel("b")
    if comes == "after":
        events.begin("c")
        await settle()
    assert events.log == ["a begins"]
    await events.end("a")
    assert events.log == ["a begins", "a ends", "c begins"]
    await events.end("c")
    assert events.connection.turns == {}


async def test_those_that_are_cancelled_in_any_order_leave_nothing() -> None:
    events = Events()
    for name in "abcd":
        events.begin(name)
    await settle()
    for name in "cbda":
        await events.cancel(name)
    assert events.log == ["a begins"]
    assert events.connection.turns == {}


async def test_one_that_is_cancelled_just_as_its_turn_comes_lets_the_next_begin() -> None:
    events = Events()
    for name in "abc":
        events.begin(name)
    await settle()
    events._ends["a"].set_result(None)
    await asyncio.sleep(0)  # a ends
    await asyncio.sleep(0)  # and calls b
    assert events.log == ["a begins", "a ends"]
    await events.cancel("b")
    assert events.log == ["a begins", "a ends", "c begins"]
    await events.end("c")
    assert events.connection.turns == {}


async def test_one_whose_turn_comes_before_it_has_begun_to_wait_does_not_wait() -> None:
    connection, log = a_connection(), list[str]()

    async def handle(*_: Any) -> None:
        log.append("handled")

    first, second = connection.in_order("key"), connection.in_order("key")
    task = begun(second.then(handle, NOBODY, NOTHING))
    first.end()
    await task
    second.end()
    assert log == ["handled"]
    assert connection.turns == {}


async def test_a_plain_handler_is_not_called_before_its_turn() -> None:
    connection, log = a_connection(), list[str]()

    def handle(*_: Any) -> Nothing:
        log.append("handled")
        return NOTHING

    first, second = connection.in_order("key"), connection.in_order("key")
    task = begun(second.then(handle, NOBODY, NOTHING))
    await settle()
    assert log == []
    first.end()
    assert await task is NOTHING
    assert log == ["handled"]


async def test_settled_waits_for_the_last_of_what_is_under_way() -> None:
    loop, under_way = asyncio.get_running_loop(), UnderWay()
    await under_way.settled(loop)
    under_way.begin()
    under_way.begin()
    waiting = [begun(under_way.settled(loop)) for _ in range(2)]
    await settle()
    under_way.end()
    await settle()
    assert [task.done() for task in waiting] == [False, False]
    under_way.end()
    await settle()
    assert [task.done() for task in waiting] == [True, True]


async def test_settled_goes_on_waiting_for_what_begins_before_it_has_woken() -> None:
    loop, under_way = asyncio.get_running_loop(), UnderWay()
    under_way.begin()
    waiting = begun(under_way.settled(loop))
    await settle()
    under_way.end()
    under_way.begin()
    await settle()
    assert not waiting.done()
    under_way.end()
    await settle()
    assert waiting.done()


async def test_who_gives_up_waiting_for_the_end_does_not_disturb_it() -> None:
    loop, under_way = asyncio.get_running_loop(), UnderWay()
    under_way.begin()
    waiting = begun(under_way.settled(loop))
    await settle()
    waiting.cancel()
    await settle()
    under_way.end()
    await under_way.settled(loop)

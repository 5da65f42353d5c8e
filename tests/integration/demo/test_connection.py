"""The demo's connection against a scripted hub: it repeats what may be repeated, and says what it missed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import socketio
from aiohttp import web
from pycrdt import Doc

from hub.demo.connection import Connection
from hub.demo.document import Writer
from hub.demo.errors import Missing, Refused

EMPTY: Doc[Any] = Doc()
OK = {"ok": True, "data": "done"}
LATER = {"ok": False, "error": {"code": "unavailable", "message": "…", "temporary": True, "retryAfter": 0.01}}
NO = {
    "ok": False,
    "error": {"code": "update_gap", "message": "No.", "temporary": False, "stateVector": EMPTY.get_state()},
}


class ScriptedHub:
    """Answers requests in the order of `answers`; None ends the transport instead."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any] | None] = []
        self.requests: list[str] = []
        self.payloads: list[Any] = []
        self.auths: list[object] = []
        self.url = ""
        self.server = socketio.AsyncServer(async_mode="aiohttp")
        self.server.on("connect", self._connected)
        self.server.on("*", self._asked)

    async def _connected(self, sid: str, environ: dict[str, Any], auth: object) -> None:
        self.auths.append(auth)
        self.server.start_background_task(self.server.emit, "session:ready", {"nodeId": "NODE1"}, to=sid)

    async def _asked(self, event: str, sid: str, payload: Any) -> dict[str, Any] | None:
        self.requests.append(event)
        self.payloads.append(payload)
        answer = self.answers.pop(0) if self.answers else OK
        if answer is None:
            self.server.get_environ(sid)["aiohttp.request"].transport.abort()
        return answer


@pytest.fixture
async def hub() -> AsyncIterator[ScriptedHub]:
    hub = ScriptedHub()
    app = web.Application()
    hub.server.attach(app)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield hub
    await hub.server.shutdown()
    await runner.cleanup()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
async def connection(hub: ScriptedHub, told: list[str]) -> AsyncIterator[Connection]:
    connection = Connection("ada", told.append)

    async def auth() -> dict[str, str]:
        return {"ticket": str(len(hub.auths))}

    await connection.open(hub.url, auth)
    yield connection
    await connection.close()


async def test_what_is_refused_for_now_is_asked_again(hub: ScriptedHub, connection: Connection) -> None:
    hub.answers = [LATER, LATER, OK]
    assert await connection.ask("collab:change", {}) == "done"
    assert len(hub.requests) == 3


async def test_what_is_refused_for_good_is_asked_once(hub: ScriptedHub, connection: Connection) -> None:
    hub.answers = [NO]
    with pytest.raises(Refused, match="update_gap") as refused:
        await connection.ask("collab:change", {})
    assert refused.value.details["stateVector"] == EMPTY.get_state()
    assert len(hub.requests) == 1


async def test_a_lost_answer_is_asked_for_again_after_the_steps_to_keep_and_with_fresh_credentials(
    hub: ScriptedHub, connection: Connection, told: list[str]
) -> None:
    async def step() -> Any:
        return await connection.ask_once("room:join", {})

    assert await connection.keep(step) == "done"
    hub.answers = [None]
    assert await connection.ask("room:send", {}) == "done"
    assert hub.requests == ["room:join", "room:send", "room:join", "room:send"]
    assert hub.auths == [{"ticket": "0"}, {"ticket": "1"}]
    assert told == ["has lost the connection", "is back, on node NODE1"]


async def test_a_step_that_the_hub_refuses_after_a_return_ends_every_wait(
    hub: ScriptedHub, connection: Connection
) -> None:
    await connection.keep(lambda: connection.ask_once("room:join", {}))
    hub.answers = [None, NO]
    with pytest.raises(Refused, match=r"room:join was refused"):
        await connection.ask("room:send", {})


async def test_each_event_is_seen_once_and_others_are_left_for_later(hub: ScriptedHub, connection: Connection) -> None:
    for number in (1, 2, 3):
        await hub.server.emit("room:message", number)
    assert await connection.sees("room:message", lambda number: number == 2) == 2
    assert await connection.sees("room:message") == 1
    assert await connection.sees("room:message") == 3


async def test_what_does_not_come_is_named_with_what_came_last(hub: ScriptedHub, connection: Connection) -> None:
    await hub.server.emit("room:message", {"body": "hello"})
    await connection.sees("room:message")
    with pytest.raises(Missing, match=r"ada did not see ada busy within 0.01 s; received last: .*'body': 'hello'"):
        await connection.until(lambda: False, "ada busy", within_s=0.01)


async def test_a_listener_gets_events_while_somebody_waits_for_their_effect(
    hub: ScriptedHub, connection: Connection
) -> None:
    total = 0

    def add(number: int) -> None:
        nonlocal total
        total += number

    connection.listen("collab:update", add)
    waiting = asyncio.gather(connection.until(lambda: total == 3, "3"), connection.until(lambda: total >= 1, "1"))
    await hub.server.emit("collab:update", 1)
    await hub.server.emit("collab:update", 2)
    await waiting


async def test_an_edit_with_a_gap_is_sent_once_more_as_the_difference(hub: ScriptedHub, connection: Connection) -> None:
    joined = {"update": EMPTY.get_update(), "stateVector": EMPTY.get_state()}
    hub.answers = [{"ok": True, "data": joined}, OK, NO, OK]
    writer = Writer("ada", connection, "document")
    await writer.join()
    await writer.write(1)
    await writer.write(2)
    assert hub.requests == ["collab:join", *["collab:change"] * 3]
    stored = Writer("hub", connection, "document")
    await hub.server.emit("collab:update", hub.payloads[-1])
    await connection.until(lambda: "ada-0001 " in str(stored) and "ada-0002 " in str(stored), "both edits")
    assert writer.acknowledged == ["ada-0001 ", "ada-0002 "]


async def test_a_writer_who_returns_sends_what_the_hub_lacks_before_all_else(
    hub: ScriptedHub, connection: Connection
) -> None:
    joined = {"ok": True, "data": {"update": EMPTY.get_update(), "stateVector": EMPTY.get_state()}}
    hub.answers = [joined, OK, None, joined, OK, OK]
    writer = Writer("ada", connection, "document")
    await writer.join()
    await writer.write(1)
    await writer.write(2)
    assert hub.requests == ["collab:join", *["collab:change"] * 2, "collab:join", *["collab:change"] * 2]
    stored = Writer("hub", connection, "document")
    await hub.server.emit("collab:update", hub.payloads[4])
    await connection.until(lambda: str(stored) == str(writer) != "", "both edits")

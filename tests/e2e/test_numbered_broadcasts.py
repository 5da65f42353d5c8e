"""Unmodified npm clients, by every transport and both parsers: nothing lost, nothing twice, nothing out of order."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.transport.socketio.server import SocketServer
from load_tests.relayed_server import new_tag, relayed
from tests.e2e.conftest import run_script
from tests.support.delay_proxy import delay_proxy
from tests.support.socket_server import listening

COUNT = 800
MODES = ("upgrading", "polling", "websocket")


def numbering_server() -> SocketServer:
    """Broadcasts numbers to all who have joined, some with bytes, while connect handlers and echoes take their time."""
    server, draw = SocketServer(node=new_tag()), random.Random(7)
    next_number = 0

    async def connect(sid: str, _environ: dict[str, Any], _auth: Any) -> None:
        await server.enter_room(sid, "all")
        await server.emit("joined", next_number, to=sid)
        await asyncio.sleep(draw.random() / 20)  # what is broadcast meanwhile waits for the answer to CONNECT

    async def broadcast(count: int) -> None:
        nonlocal next_number
        for number in range(count):
            data = (number, b"\x00\xff" * 200) if number % 10 == 0 else number
            next_number = number + 1
            await server.emit("number", data, room="all")
            await asyncio.sleep(0.001)
        await server.emit("end", room="all")

    async def start(_sid: str, count: int) -> None:
        server.start_background_task(broadcast, count)

    async def echo(_sid: str, question: int) -> int:
        await asyncio.sleep(draw.random() / 50 if question % 7 == 0 else 0)
        return question

    server.on("connect", connect)
    server.on("start", start)
    server.on("echo", echo)
    return server


@contextlib.asynccontextmanager
async def serving(elsewhere: bool) -> AsyncIterator[int]:
    """The port of such a server, or of a node that passes everything on to it."""
    server = numbering_server()
    if not elsewhere:
        async with listening(server) as port:
            yield port
        return
    async with relayed(server) as door, listening(server, door) as port:
        yield port


@pytest.mark.usefixtures("npm_clients")
@pytest.mark.parametrize(
    ("latency_s", "elsewhere"), [(0.0, True), (0.025, False)], ids=["another node", "a slow connection"]
)
async def test_clients_of_every_transport_see_each_number_once_and_in_order(latency_s: float, elsewhere: bool) -> None:
    clients = [(mode, parser) for _ in range(3) for mode in MODES for parser in ("json", "msgpack")]
    clients += [("upgrading", "json")] * 6
    random.Random(3).shuffle(clients)
    async with serving(elsewhere) as port, delay_proxy(port, latency_s) as slower:
        reports = await run_script("numbered", port=slower if latency_s else port, count=COUNT, clients=clients)
    assert len(reports) == len(clients) + 1
    for seen in reports:
        who = seen["mode"], seen["parser"]
        assert seen["wrong"] == [], who
        assert seen["numbers"] == list(range(seen["first"], COUNT)), who
        assert seen["acknowledged"] == seen["asked"], who
        assert seen["endedAs"] == ("polling" if seen["mode"] == "polling" else "websocket"), who
    if latency_s:  # without it an upgrade may be over before the first number
        assert any(seen["polled"] for seen in reports if seen["mode"] == "upgrading"), "nobody was polled to"

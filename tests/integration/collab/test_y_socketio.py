"""y-socket.io's namespaces by hand: who may come in, and what ends a client's stay."""

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import socketio
from socketio.exceptions import ConnectionError as RefusedConnection

from tests.integration.collab.conftest import Shared
from tests.support.wait import until
from tests.support.yjs import Writer


@contextlib.asynccontextmanager
async def guest(shared: Shared, auth: Any, name: str | None = None) -> AsyncIterator[tuple[Any, list[Any]]]:
    """A client in the document's namespace, and what it is told."""
    namespace, told = f"/yjs|{name or shared.id}", list[Any]()
    client = socketio.AsyncClient(reconnection=False)
    client.on("*", lambda event, *arguments: told.append((event, *arguments)), namespace=namespace)
    client.on("disconnect", lambda *reason: told.append(("disconnect", *reason)), namespace=namespace)
    try:
        await client.connect(
            shared.nodes[0].url, transports=["websocket"], namespaces=[namespace], auth=auth, wait_timeout=5
        )
        yield client, told
    finally:
        await client.disconnect()


async def test_the_hub_answers_asks_in_turn_and_relays(shared: Shared) -> None:
    namespace = f"/yjs|{shared.id}"
    async with (
        guest(shared, {"token": await shared.token(shared.ada)}) as (ada, told),
        guest(shared, {"token": await shared.token(shared.eve, "read")}) as (eve, heard),
    ):
        assert await ada.call("sync-step-1", b"\0", namespace=namespace) == b"\0\0"
        await until(lambda: ("sync-step-1", b"\0") in told)
        await eve.call("sync-step-1", b"\0", namespace=namespace)
        await until(lambda: ("sync-step-1", b"\0") in heard)
        update = Writer().write("a")
        await ada.emit("sync-update", update, namespace=namespace)
        await until(lambda: ("sync-update", update) in heard)
        assert await eve.call("sync-step-1", b"\0", namespace=namespace) == update
        await eve.emit("sync-update", Writer().write("b"), namespace=namespace)
        assert await ada.call("sync-step-1", b"\0", namespace=namespace) == update


@pytest.mark.parametrize("auth", [None, {}, {"token": 7}, {"token": "wrong"}])
async def test_strangers_are_refused_as_its_own_server_does(shared: Shared, auth: Any) -> None:
    with pytest.raises(RefusedConnection, match="namespaces failed"):
        async with guest(shared, auth):
            pass


async def test_a_token_of_another_document_is_refused(shared: Shared) -> None:
    other = await shared.rest.document(shared.ada)
    with pytest.raises(RefusedConnection):
        async with guest(shared, {"token": await shared.token(shared.ada)}, other):
            pass


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("sync-update", b"\xff" * 5),
        ("sync-update", "text"),
        ("awareness-update", b"\5"),
        ("hello", b""),
        ("sync-step-1", b"\7"),
    ],
)
async def test_what_is_not_of_the_protocol_puts_its_sender_out(
    shared: Shared, event: str, data: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with guest(shared, {"token": await shared.token(shared.ada)}) as (ada, told):
        await ada.emit(event, data, namespace=f"/yjs|{shared.id}")
        await until(lambda: [one for one in told if one[0] == "disconnect"])
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR and record.name != "asyncio"]


async def test_a_draining_node_sends_its_guests_elsewhere(shared: Shared) -> None:
    async with guest(shared, {"token": await shared.token(shared.ada)}) as (_, told):
        await shared.nodes[0].hub.drain()
        await until(lambda: [one for one in told if one[0] == "disconnect"])
    assert not shared.nodes[0].hub.door.engine.sessions

"""Acknowledgements, both ways: whatever a handler returns and a client answers, the connection goes on."""

import asyncio
import inspect
import logging
from typing import Any

import pytest
import socketio
from socketio.exceptions import TimeoutError as AnswerTimeoutError

from hub.transport.socketio.packets import decode_msgpack
from hub.transport.socketio.server import SocketServer
from tests.support.local_client import LocalClient, settle


async def connected(server: SocketServer) -> LocalClient:
    """A client in the default namespace."""
    client = LocalClient(server)
    client.send("40")
    await settle()
    [packet] = client.received()
    assert str(packet).startswith("40")
    return client


def sid_of(server: SocketServer) -> str:
    [sid] = server.rooms_of("/").sockets
    return sid


@pytest.fixture
async def server() -> SocketServer:
    server = SocketServer()
    server.on("connect", lambda _sid, _environ, _auth: None)
    return server


@pytest.mark.parametrize(
    ("result", "answer"),
    [(None, "[]"), (1, "[1]"), ([1, 2], "[[1,2]]"), ((1, 2), "[1,2]"), ((), "[]"), ("", '[""]'), (False, "[false]")],
)
@pytest.mark.parametrize("kind", ["function", "coroutine function", "catch-all"])
async def test_what_a_handler_returns_is_the_answer(server: SocketServer, kind: str, result: Any, answer: str) -> None:
    async def handler(*_: Any) -> Any:
        await asyncio.sleep(0)
        return result

    server.on("*" if kind == "catch-all" else "ask", handler if kind != "function" else lambda *_: result)
    client = await connected(server)
    client.send('427["ask",1]')
    await settle()
    assert client.received() == [f"437{answer}"]


async def test_an_event_that_nobody_handles_or_that_fails_is_not_answered(server: SocketServer) -> None:
    async def fails(_sid: str) -> None:
        raise RuntimeError("broken")

    def fails_at_once(_sid: str) -> None:
        raise RuntimeError("broken")

    server.on("fails", fails)
    server.on("fails-at-once", fails_at_once)
    client = await connected(server)
    client.send('421["nobody"]', '422["fails"]', '423["fails-at-once"]', '424["fails","too","many"]')
    await settle()
    assert client.received() == []
    assert not client.ended


@pytest.mark.parametrize("kind", ["function", "coroutine function"])
async def test_what_cannot_be_sent_as_an_answer_is_logged_and_the_connection_goes_on(
    server: SocketServer, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(_sid: str) -> object:
        return object()

    server.on("ask", handler if kind != "function" else lambda _sid: object())
    server.on("other", lambda _sid: "fine")
    client = await connected(server)
    client.send('421["ask"]', '422["other"]')
    await settle()
    assert client.received() == ['432["fine"]']
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "ask" in caplog.text


async def test_a_callback_gets_what_the_client_answers(server: SocketServer) -> None:
    answers: list[Any] = []

    async def slow_callback(*arguments: Any) -> None:
        await asyncio.sleep(0)
        answers.append(arguments)

    client = await connected(server)
    await server.emit("ask", 1, to=sid_of(server), callback=lambda *arguments: answers.append(arguments))
    await server.emit("ask", 2, to=sid_of(server), callback=slow_callback)
    assert client.received() == ['421["ask",1]', '422["ask",2]']
    client.send('432["two"]', '431["one",{}]', "431[]", "4399[]")
    await settle()
    assert answers == [("one", {}), ("two",)]
    assert not client.ended


@pytest.mark.parametrize("to", [None, "room", "lonely", ["room"], {"room"}], ids=str)
async def test_a_callback_is_for_one_client_and_a_room_is_refused(server: SocketServer, to: Any) -> None:
    clients = [await connected(server)]
    await server.enter_room(sid_of(server), "lonely")
    clients.append(LocalClient(server))
    clients[1].send("40")
    await settle()
    clients[1].received()
    for sid in server.rooms_of("/").sockets:
        await server.enter_room(sid, "room")
    with pytest.raises(ValueError, match="one client"):
        await server.emit("ask", room=to, callback=print)
    await settle()
    assert [client.received() for client in clients] == [[], []]


async def test_a_callback_of_a_client_that_has_gone_is_never_called_and_no_error(server: SocketServer) -> None:
    client = await connected(server)
    sid = sid_of(server)
    client.send("41")
    await settle()
    await server.emit("ask", to=sid, callback=print)
    assert client.received() == []


@pytest.mark.parametrize("answer", ["[1,2,3]", "[]", '["no number"]'])
async def test_a_callback_that_the_clients_answer_does_not_suit_is_logged_and_the_connection_goes_on(
    server: SocketServer, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def slow_callback(number: str) -> None:
        await asyncio.sleep(0)
        int(number)

    server.on("other", lambda _sid: "fine")
    client = await connected(server)
    for callback in (slow_callback, lambda number: int(number) + 1):
        await server.emit("ask", to=sid_of(server), callback=callback)
    client.received()
    client.send(f"431{answer}", f"432{answer}", '421["other"]')
    await settle()
    assert client.received() == ['431["fine"]']
    assert not client.ended
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2


async def test_call_waits_for_the_answer_or_its_timeout(server: SocketServer) -> None:
    client = await connected(server)
    call = asyncio.get_running_loop().create_task(server.call("ask", 1, to=sid_of(server)))
    await settle()
    assert client.received() == ['421["ask",1]']
    client.send('431["one","two"]')
    assert await call == ("one", "two")
    with pytest.raises(AnswerTimeoutError):
        await server.call("ask", to=sid_of(server), timeout=0.01)
    with pytest.raises(AnswerTimeoutError):
        await server.call("ask", to="who has gone", timeout=0.01)


@pytest.mark.parametrize(("answer", "result"), [("[]", None), ("[1]", 1), ("[[1]]", [1]), ("[1,2]", (1, 2))])
async def test_call_gives_what_was_answered_as_python_socketio_does(
    server: SocketServer, answer: str, result: Any
) -> None:
    client = await connected(server)
    call = asyncio.get_running_loop().create_task(server.call("ask", sid=sid_of(server)))
    await settle()
    client.send(f"431{answer}")
    assert await call == result


def test_call_takes_what_python_socketio_takes() -> None:
    ours, stock = (inspect.signature(one.call).parameters.values() for one in (SocketServer, socketio.AsyncServer))
    assert [(one.name, one.default) for one in ours] == [(one.name, one.default) for one in stock]


async def test_call_asks_one_client_and_no_room(server: SocketServer) -> None:
    client = await connected(server)
    await server.enter_room(sid_of(server), "room")
    for to in (None, "room"):
        with pytest.raises(ValueError, match="one client"):
            await server.call("ask", to=to)
    await settle()
    assert client.received() == []


async def test_nothing_is_kept_of_a_question_that_is_over(server: SocketServer) -> None:
    client = await connected(server)
    [socket] = server.rooms_of("/").sockets.values()
    with pytest.raises(AnswerTimeoutError):
        await server.call("ask", to=socket.sid, timeout=0)
    given_up = asyncio.get_running_loop().create_task(server.call("ask", to=socket.sid))
    await settle()
    given_up.cancel()
    client.send('432["while it is being given up"]')
    with pytest.raises(asyncio.CancelledError):
        await given_up
    for asking in (server.call("ask", object(), to=socket.sid), server.emit("x", object(), socket.sid, callback=print)):
        with pytest.raises(TypeError):
            await asking
    assert not socket._answers
    client.send('431["too late"]')
    assert not client.ended


async def test_an_attachment_nested_too_deeply_ends_the_connection_and_is_no_crash(server: SocketServer) -> None:
    client = await connected(server)
    deep = '["x",' + "[" * 1000 + '{"_placeholder":true,"num":0}' + "]" * 1000 + "]"
    client.send(f"451-{deep}", b"data")
    assert client.ended


async def test_a_message_where_an_attachment_is_due_ends_the_connection(server: SocketServer) -> None:
    client = await connected(server)
    client.send('451-["x",{"_placeholder":true,"num":0}]', '42["y"]')
    assert client.ended


async def test_over_messagepack_answers_are_binary(server: SocketServer) -> None:
    server.on("ask", lambda _sid, data: (data, 1))
    client = LocalClient(server, "/socket.io-msgpack/")
    client.send(b"\x82\xa4type\x00\xa3nsp\xa1/")
    await settle()
    client.received()
    client.send(b"\x84\xa4type\x02\xa3nsp\xa1/\xa2id\x05\xa4data\x92\xa3ask\xc4\x02hi")
    await settle()
    [packet] = client.received()
    assert isinstance(packet, bytes)
    answer = decode_msgpack(packet)
    assert (answer.type, answer.id, answer.data) == (3, 5, [b"hi", 1])

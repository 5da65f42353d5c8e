"""What is sent to a socket while its CONNECT is looked at: after the answer if it is let in, and never if it is not."""

import asyncio
from functools import partial
from typing import Any

import pytest
from socketio.exceptions import ConnectionRefusedError as SocketRefusedError

from hub.transport.socketio.server import SocketServer
from tests.support.local_client import LocalClient, settle
from tests.support.local_server import rooms_kept
from tests.support.wait import until


class Door:
    """A server whose connect handler waits until it is told what to answer. `log` is what its handlers did."""

    def __init__(self) -> None:
        self.server = SocketServer()
        self.log: list[str] = []
        self.sids: list[str] = []
        self.slow = asyncio.Event()
        self.decision: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        for namespace in ("/", "/custom"):
            self.server.on("connect", partial(self._connect, namespace), namespace=namespace)
            self.server.on("disconnect", self._disconnect, namespace=namespace)
            self.server.on("note", self._note, namespace=namespace)

    async def _connect(self, namespace: str, sid: str, _environ: object, _auth: object) -> Any:
        self.log.append("connect")
        self.sids.append(sid)
        await self.server.enter_room(sid, "room", namespace)
        await self.server.emit("to-you", to=sid, namespace=namespace)
        return await asyncio.shield(self.decision)

    async def _disconnect(self, _sid: str, reason: str) -> None:
        self.log.append(f"disconnect: {reason}")

    async def _note(self, _sid: str, text: str) -> None:
        self.log.append(text)
        if text == "slow":
            await self.slow.wait()

    def left_behind(self) -> list[object]:
        """What is still kept of clients."""
        server = self.server
        kept = [server.rooms_of(name).sockets for name in ("/", "/custom")]
        return [one for one in (*kept, rooms_kept(server.rooms_of("/")), server.environ, server.leaving) if one]


@pytest.fixture
async def door() -> Door:
    return Door()


async def test_connect_is_answered_first_and_then_comes_what_was_sent_meanwhile_in_order(door: Door) -> None:
    client = LocalClient(door.server)
    client.send("40")
    await settle()
    await door.server.emit("to-room", 1, room="room")
    await settle()
    await door.server.emit("to-all", 2)
    assert client.received() == []
    door.decision.set_result(None)
    await settle()
    await door.server.emit("later", 3, room="room")
    assert client.received() == [
        f'40{{"sid":"{door.sids[0]}"}}',
        '42["to-you"]',
        '42["to-room",1]',
        '42["to-all",2]',
        '42["later",3]',
    ]


@pytest.mark.parametrize("refusal", [False, SocketRefusedError("no", {"why": 1}), ConnectionRefusedError()])
async def test_who_is_refused_gets_nothing_else_and_is_in_no_room(door: Door, refusal: Any) -> None:
    client = LocalClient(door.server)
    client.send("40")
    await settle()
    await door.server.emit("to-room", 1, room="room")
    if isinstance(refusal, Exception):
        door.decision.set_exception(refusal)
    else:
        door.decision.set_result(refusal)
    await settle()
    await door.server.emit("to-room", 2, room="room")
    [packet] = client.received()
    assert str(packet).startswith("44{")
    assert door.log == ["connect"]
    assert door.left_behind() == []
    assert not client.ended


async def test_events_that_come_early_are_handled_after_the_answer_and_before_later_ones(door: Door) -> None:
    client = LocalClient(door.server)
    client.send("40", '42["note","early"]', '42["note","later"]', '421["note","last"]')
    await settle()
    assert door.log == ["connect"]
    assert client.unread == 2, "while one waits nothing more is read"
    door.decision.set_result(None)
    await settle()
    assert door.log == ["connect", "early", "later", "last"]
    assert client.received()[-1] == "431[]"


async def test_who_goes_during_its_connect_handler_is_disconnected_once_afterwards(door: Door) -> None:
    client = LocalClient(door.server)
    client.send("40", '42["note","early"]')
    await settle()
    client.drop()
    await settle()
    assert door.log == ["connect"]
    door.decision.set_result(None)
    await settle()
    assert door.log == ["connect", "disconnect: transport close"]
    assert door.left_behind() == []


async def test_who_goes_during_its_connect_handler_and_is_refused_is_not_disconnected(door: Door) -> None:
    client = LocalClient(door.server)
    client.send("40")
    await settle()
    client.drop()
    door.decision.set_result(False)
    await settle()
    assert door.log == ["connect"]
    assert door.left_behind() == []


async def test_a_lobby_holds_no_more_than_a_session(door: Door) -> None:
    client = LocalClient(door.server)
    client.send("40")
    await settle()
    for _ in range(12):
        await door.server.emit("to-room", "x" * 100_000, room="room")
        await settle()
    assert client.ended
    assert door.server.engine.ended[client.session.sid] == "slow reader"
    door.decision.set_result(None)
    await settle()
    assert door.left_behind() == []


async def test_who_leaves_and_connects_again_is_not_told_what_became_of_the_first_time(door: Door) -> None:
    client = LocalClient(door.server)
    client.send("40/custom,")
    await settle()
    client.send("41/custom,")
    first, door.decision = door.decision, asyncio.get_running_loop().create_future()
    client.send("40/custom,")
    await settle()
    first.set_result(False)
    await settle()
    assert client.received() == []
    door.decision.set_result(None)
    await settle()
    assert client.received() == [f'40/custom,{{"sid":"{door.sids[1]}"}}', '42/custom,["to-you"]']
    client.drop()
    await settle()
    assert door.log == ["connect", "connect", "disconnect: transport close"]
    assert door.left_behind() == []


async def test_who_leaves_and_connects_again_gets_no_acknowledgement_of_an_event_of_the_first_time(door: Door) -> None:
    """Its ids begin anew: it would be taken for the answer to another event."""
    door.decision.set_result(None)
    client = LocalClient(door.server)
    client.send("40", '421["note","slow"]')
    await settle()
    client.send("41", "40")
    await settle()
    assert len(door.sids) == 2
    client.received()
    door.slow.set()
    await settle()
    assert client.received() == []


async def test_a_connect_handler_may_disconnect_its_own_socket(door: Door) -> None:
    client = LocalClient(door.server)
    client.send("40")
    await settle()
    await door.server.disconnect(door.sids[0])
    door.decision.set_result(None)
    await settle()
    [packet] = client.received()
    assert str(packet).startswith("44{"), "before it was connected it is refused"
    assert door.log == ["connect", "disconnect: transport close"]
    assert door.left_behind() == []


async def test_connects_under_way_are_bounded(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.transport.socketio.client.MAX_IN_FLIGHT", 4)
    client = LocalClient(door.server)
    client.send(*["40/custom,", "41/custom,"] * 20)
    await settle()
    assert door.log == ["connect"] * 4
    door.decision.set_result(None)
    await until(lambda: client.unread == 0)
    client.drop()
    await settle()
    assert door.left_behind() == []

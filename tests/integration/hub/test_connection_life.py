"""hub.transport.sockets: connections that end at the wrong moment leave nothing behind."""

import asyncio
import json
from collections.abc import Collection
from types import SimpleNamespace

import pytest

from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, RoomName, SessionId
from hub.kernel.wire import Wire
from hub.transport import connection_life, draining
from tests.support.engineio_client import polling_session, raw_socket, signed_in_polling, signed_in_socket
from tests.support.hub import RunningHub
from tests.support.wait import until


class Number(Wire):
    number: int


async def test_a_session_revoked_during_its_handshake_is_not_left_connected(
    node: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    gate = node.hub.sockets._life._gate
    assert gate is not None
    admit = gate.admit

    async def admit_then_revoke(*arguments: object) -> object:
        admission = await admit(*arguments)  # type: ignore[arg-type]
        headers = {"Authorization": f"Bearer {token}"}
        async with node.http.post(f"{node.url}/api/v1/auth/logout", headers=headers) as response:
            assert response.status == 204
        return admission

    monkeypatch.setattr(gate, "admit", admit_then_revoke)
    async with raw_socket(node) as socket:
        await socket.send("40" + json.dumps({"token": token}))
        assert "signed_out" in await socket.packet('42["session:revoked"')
        assert (await socket.packet()).startswith("41")
    await until(lambda: len(node.hub.sockets) == 0)


async def test_without_redis_nobody_is_let_in_on_a_session_that_may_have_ended(
    node: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    gate = node.hub.sockets._life._gate
    assert gate is not None

    async def refused(_session_id: SessionId) -> None:
        raise ConnectionError

    monkeypatch.setattr(gate, "recheck", refused)
    async with raw_socket(node) as socket:
        await socket.send("40" + json.dumps({"token": token}))
        assert await socket.closed()
    await until(lambda: len(node.hub.sockets) == 0)


async def test_no_event_is_handled_before_the_connect_hooks_are_done(node: RunningHub) -> None:
    order: list[str] = []
    goes_on, asked = asyncio.Event(), asyncio.Event()

    async def hook(_caller: Caller) -> None:
        asked.set()
        await goes_on.wait()
        order.append("hook")

    async def handler(_caller: Caller, _payload: Number) -> None:
        order.append("event")

    router = node.hub.sockets._life._router
    router.on("test:number", Number, handler)
    router.connected.append(hook)
    token = (await node.sign_up("ada"))["accessToken"]
    session = await polling_session(node)
    async with asyncio.TaskGroup() as group:
        group.create_task(session.connect(token))
        await asked.wait()
        group.create_task(session.post('421["test:number",{"number":1}]'))
        await session.packet("40")
        assert order == []
        goes_on.set()
    await session.answer(1)
    assert order == ["hook", "event"]


async def test_features_hear_of_a_loss_at_once_and_their_hooks_run_after_the_last_event(
    node: RunningHub,
) -> None:
    order: list[str] = []
    goes_on, handled = asyncio.Event(), asyncio.Event()

    async def came(_caller: Caller) -> None:
        order.append("came")

    async def went(_caller: Caller) -> None:
        order.append("went")

    def broken(_caller: Caller) -> None:
        raise RuntimeError("a defect of another feature")

    def lost(_caller: Caller) -> None:
        order.append("lost")

    async def handler(_caller: Caller, _payload: Number) -> None:
        handled.set()
        await goes_on.wait()
        order.append("event")

    router = node.hub.sockets._life._router
    router.connected.append(came)
    router.lost += [broken, lost]
    router.disconnected.append(went)
    router.on("test:number", Number, handler)
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as socket:
        await socket.send('42["test:number",{"number":1}]')
        await handled.wait()
    await until(lambda: len(node.hub.sockets) == 0)
    assert order == ["came", "lost"]
    goes_on.set()
    await until(lambda: order == ["came", "lost", "event", "went"])


async def test_a_connection_that_the_hub_ends_counts_from_its_disconnect_hooks(node: RunningHub) -> None:
    order: list[str] = []

    async def went(_caller: Caller) -> None:
        order.append("went")

    router = node.hub.sockets._life._router
    router.lost.append(lambda _caller: order.append("lost"))
    router.disconnected.append(went)
    async with signed_in_socket(node, (await node.sign_up("ada"))["accessToken"]):
        await node.hub.sockets.cut_all()
        await until(lambda: "went" in order)
    assert order == ["went"]


async def test_events_that_wait_for_their_turn_are_not_started_once_the_connection_is_gone(
    node: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.transport.socketio.client.MAX_IN_FLIGHT", 1)
    started: list[int] = []
    goes_on, gone = asyncio.Event(), asyncio.Event()

    async def handler(_caller: Caller, payload: Number) -> None:
        started.append(payload.number)
        await goes_on.wait()

    async def went(_caller: Caller) -> None:
        gone.set()

    router = node.hub.sockets._life._router
    router.on("test:number", Number, handler)
    router.disconnected.append(went)
    token = (await node.sign_up("ada"))["accessToken"]
    session = await signed_in_polling(node, token)
    body = "\x1e".join(f'42["test:number",{{"number":{number}}}]' for number in range(3))
    async with asyncio.TaskGroup() as group:
        group.create_task(session.post(body))
        await until(lambda: started == [0])
        await session.post("1")
        await until(lambda: len(node.hub.sockets) == 0)
        goes_on.set()
    await gone.wait()
    assert started == [0]


async def test_a_connection_that_is_gone_leaves_no_room_and_no_order(node: RunningHub) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as socket:
        connection_id = next(iter(node.hub.sockets._connections))
        connection = node.hub.sockets._connections[connection_id]
        await socket.send('421["room:join",{"roomId":"00000000-0000-4000-8000-000000000000"}]')
        await socket.answer(1)
    await until(lambda: len(node.hub.sockets) == 0)
    node.hub.sockets.join(connection_id, RoomName("room:late"))
    assert connection.socket.rooms, "it was in some"
    assert not any(node.hub.sockets.count(RoomName(room)) for room in (*connection.socket.rooms, "room:late"))
    assert not connection.turns


async def test_a_slow_disconnect_hook_of_one_does_not_hold_up_the_end_of_another(node: RunningHub) -> None:
    hanging, goes_on = asyncio.Event(), asyncio.Event()

    async def went(_caller: Caller) -> None:
        hanging.set()
        await goes_on.wait()

    ada = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, ada) as first, signed_in_socket(node, ada) as second:
        node.hub.sockets._life._router.disconnected.insert(0, went)
        async with node.http.post(
            f"{node.url}/api/v1/auth/logout", headers={"Authorization": f"Bearer {ada}"}
        ) as response:
            assert response.status == 204
        assert await first.closed()
        assert await second.closed()
        await hanging.wait()
        goes_on.set()


async def test_draining_waits_for_what_is_under_way_and_starts_nothing_more(node: RunningHub) -> None:
    done: list[str] = []
    goes_on, started = asyncio.Event(), asyncio.Event()

    async def handler(_caller: Caller, payload: Number) -> Number:
        started.set()
        await goes_on.wait()
        done.append(f"event {payload.number}")
        return payload

    async def went(_caller: Caller) -> None:
        done.append("went")

    router = node.hub.sockets._life._router
    router.on("test:number", Number, handler)
    router.disconnected.append(went)
    token = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, token) as socket:
        await socket.send('421["test:number",{"number":1}]')
        await started.wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(node.hub.drain())
            await socket.packet('42["hub:draining"')
            await socket.send('422["test:number",{"number":2}]')
            goes_on.set()
            assert (await socket.answer(1))["ok"]
        assert done == ["event 1", "went"], "what features do when a connection goes is done when draining ends"
        assert await socket.closed()


async def test_a_node_drains_in_waves_and_serves_each_client_until_its_turn(
    node: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_wave, pauses = asyncio.Event(), list[float]()

    async def pause(delay_s: float) -> None:
        pauses.append(delay_s)
        await next_wave.wait()

    monkeypatch.setattr(draining, "WAVE", 1)
    monkeypatch.setattr(draining, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": pause}))
    first_token, second_token = [(await node.sign_up(name))["accessToken"] for name in ("ada", "bob")]
    async with (
        signed_in_socket(node, first_token) as first,
        signed_in_socket(node, second_token) as second,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(node.hub.drain())
        await first.packet('42["hub:draining"')
        assert await first.closed()
        await second.send('421["presence:get",{"userIds":[]}]')
        assert (await second.answer(1))["ok"]
        next_wave.set()
        await second.packet('42["hub:draining"')
        assert await second.closed()
    assert pauses == [draining.EVERY_S]


async def test_a_draining_node_lets_nobody_in(node: RunningHub) -> None:
    token = (await node.sign_up("ada"))["accessToken"]
    await node.hub.drain()
    async with raw_socket(node) as socket:
        await socket.send("40" + json.dumps({"token": token}))
        # A CONNECT_ERROR would end an unmodified client's reconnecting; now it goes to another node.
        assert await socket.closed()


async def test_one_that_cannot_be_left_behind_keeps_no_other_from_leaving(
    node: RunningHub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recovery = node.hub.sockets._life._recovery
    assert recovery is not None
    lost, left = recovery.lost, list[ConnectionId]()

    async def fail_once(connection_id: ConnectionId, rooms: Collection[RoomName], *, for_good: bool) -> None:
        left.append(connection_id)
        if len(left) == 1:
            raise ZeroDivisionError
        await lost(connection_id, rooms, for_good=for_good)

    monkeypatch.setattr(recovery, "lost", fail_once)
    monkeypatch.setattr(connection_life, "LEAVING_AT_ONCE", 1)
    ada = (await node.sign_up("ada"))["accessToken"]
    async with signed_in_socket(node, ada), signed_in_socket(node, ada), signed_in_socket(node, ada):
        await node.hub.sockets.cut_all()
        await until(lambda: len(left) == 3)
    assert caplog.text.count("leaving a connection behind failed") == 1

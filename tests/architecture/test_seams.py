"""The private names of other packages are as hub/transport/seams.py believes.

Each test fails when a new version moves what it names. That no other file uses any is in test_private_uses.py.
"""

import ast
import asyncio
import inspect
from importlib.metadata import version
from typing import Any

import pytest
import socketio
from aiohttp._websocket.mask import _websocket_mask_cython

from hub.transport.eager import HubLoop
from hub.transport.seams import _Engine, _xor_mask_slow
from hub.transport.socketio.manager import RoomManager
from hub.transport.socketio.server import SocketServer


def test_the_version_of_python_socketio_is_the_one_that_was_looked_at() -> None:
    assert version("python-socketio") == "5.18.1"


@pytest.mark.parametrize("name", ["_engineio_server_class", "_trigger_event"])
def test_python_socketio_has_the_private_methods_that_are_used_or_replaced(name: str) -> None:
    assert inspect.isfunction(getattr(socketio.AsyncServer, name))


@pytest.mark.parametrize("name", ["handlers", "namespace_handlers", "environ", "not_handled", "manager", "eio"])
def test_python_socketio_keeps_what_it_was_given_where_we_look_for_it(name: str) -> None:
    assert hasattr(SocketServer(), name)


def calls_of(attribute: str, source: type) -> set[str]:
    """The methods of ``self.<attribute>`` that a class of python-socketio calls."""
    tree = ast.parse(inspect.getsource(inspect.getmodule(source)))  # type: ignore[arg-type]
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == attribute
        and isinstance(node.value.value, ast.Name)
        and node.value.value.id == "self"
    }


REPLACED = {"attach", "handle_request", "send", "send_packet"}
"""Of the engine: called only by methods of AsyncServer that we replace, or that make no sense over our engine."""


def test_our_engine_has_every_method_that_the_api_server_calls() -> None:
    called = calls_of("eio", socketio.AsyncServer) | {"transport", "on"}
    assert {name for name in called if not hasattr(_Engine, name)} <= REPLACED


def test_our_manager_overrides_what_touches_the_store_of_the_stock_one() -> None:
    stock = socketio.AsyncManager
    public = {name for name, _ in inspect.getmembers(stock, inspect.isfunction) if not name.startswith("_")}
    kept = {name for name in public if getattr(RoomManager, name) is getattr(stock, name)}
    assert kept <= {
        # thin wrappers around what we override, or what only replaced methods of the server call
        *("close_room", "enter_room", "leave_room", "set_server", "initialize"),
        *("connect", "pre_connect", "pre_disconnect", "is_pre_connected", "is_sid_room"),
        *("basic_disconnect", "trigger_callback"),
    }


def test_the_stock_dispatch_is_never_registered() -> None:
    """It would run the application's connect handler for an event of that name."""
    registered = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(socketio.AsyncServer.__mro__[1])))
        if isinstance(node, ast.Attribute) and node.attr == "_handle_eio_message"
    ]
    assert registered, "BaseServer no longer registers it where we look"
    server = SocketServer()
    assert vars(server.eio) == {"_api": server}, "our engine keeps no handler that it is given"


@pytest.mark.parametrize("mask", [_websocket_mask_cython, _xor_mask_slow])
def test_masking_is_in_place_and_by_a_key_of_four_bytes(mask: Any) -> None:
    for size in (0, 1, 3, 4, 5, 8, 9, 100, 1001):
        data = bytearray(range(256)) * 4
        data = data[:size]
        expected = bytearray(byte ^ b"\x01\x02\x03\xff"[index % 4] for index, byte in enumerate(data))
        mask(b"\x01\x02\x03\xff", data)
        assert data == expected


def test_a_task_schedules_its_first_step_by_call_soon_and_nothing_else() -> None:
    """What HubLoop.start_eagerly rests on, of asyncio.Task and uvloop."""
    ran: list[str] = []

    async def work() -> str:
        ran.append("first step")
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        return "done"

    async def main() -> None:
        def start_outside_any_task() -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, HubLoop)
            task = loop.start_eagerly(work())
            assert ran == ["first step"]
            task.add_done_callback(lambda ended: ended_with.set_result(ended.result()))

        ended_with: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(start_outside_any_task)
        assert await ended_with == "done"

    with asyncio.Runner(loop_factory=HubLoop) as runner:
        runner.run(main())

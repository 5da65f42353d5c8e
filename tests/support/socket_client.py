"""An unmodified python-socketio client that keeps what it is sent, so that tests say what they expect."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import socketio

from tests.support.wait import until

CONNECTS = 20
"""Attempts to land on a given node of two through the shared port: all miss once in a million runs."""
ANSWER_S = 5.0
"""An event between two nodes takes milliseconds; a loaded machine may take its time."""


class SocketClient:
    """One connection. `received` are the events not yet expected, in the order they came."""

    def __init__(self, *, reconnects: bool = False) -> None:
        self.received: list[tuple[str, Any]] = []
        self.io = socketio.AsyncClient(reconnection=reconnects, reconnection_delay=0.2, randomization_factor=0)
        self.io.on("*", self._keep)

    @property
    def connected(self) -> bool:
        return bool(self.io.connected)

    async def call(self, event: str, payload: Any = None) -> dict[str, Any]:
        """Send an event and return its whole acknowledgement."""
        answer: dict[str, Any] = await self.io.call(event, payload, timeout=ANSWER_S)
        return answer

    async def ok(self, event: str, payload: Any = None) -> Any:
        """Send an event that must succeed, and return the data of its acknowledgement."""
        answer = await self.call(event, payload)
        assert answer["ok"], f"{event}: {answer}"
        return answer["data"]

    async def refused(self, event: str, payload: Any = None) -> dict[str, Any]:
        """Send an event that must fail, and return the error of its acknowledgement."""
        answer = await self.call(event, payload)
        assert not answer["ok"], f"{event}: {answer}"
        error: dict[str, Any] = answer["error"]
        return error

    async def expect(
        self, event: str, where: Callable[[Any], bool] = lambda _: True, timeout_s: float = ANSWER_S
    ) -> Any:
        """The payload of the first such event, come or still to come. Events before it stay."""

        def found() -> tuple[str, Any] | None:
            return next((one for one in self.received if one[0] == event and where(one[1])), None)

        try:
            one = await until(found, timeout_s)
        except AssertionError:
            raise AssertionError(f"no fitting {event} within {timeout_s:g} s; there were {self.received}") from None
        assert one is not None
        self.received.remove(one)
        return one[1]

    def count(self, event: str) -> int:
        """How many such events have come and were not expected."""
        return sum(name == event for name, _ in self.received)

    async def _keep(self, event: str, *arguments: Any) -> None:
        self.received.append((event, arguments[0] if arguments else None))


@contextlib.asynccontextmanager
async def socket_client(
    url: str,
    token: str,
    *,
    reconnects: bool = False,
    device: str = "test",
    transports: tuple[str, ...] = ("websocket",),
) -> AsyncIterator[SocketClient]:
    """Connect, over WebSocket if nothing else is said, and wait for `session:ready`, which stays in `received`."""
    client = SocketClient(reconnects=reconnects)
    try:
        auth = {"token": token, "device": device}
        await client.io.connect(url, auth=auth, transports=list(transports), wait_timeout=10)
        await until(lambda: client.count("session:ready"), ANSWER_S)
        yield client
    finally:
        await client.io.shutdown()


async def connected_to(node_id: str, url: str, token: str, open_clients: contextlib.AsyncExitStack) -> SocketClient:
    """A client that came to this node through the shared port, and comes back by itself."""
    for _ in range(CONNECTS):
        client = await open_clients.enter_async_context(socket_client(url, token, reconnects=True))
        if (await client.expect("session:ready"))["nodeId"] == node_id:
            return client
    raise AssertionError(f"{CONNECTS} connections, and none to {node_id}")


@contextlib.asynccontextmanager
async def somebody(
    url: str, *, namespaces: tuple[str, ...] = ("/",), transports: tuple[str, ...] = ("websocket",), **more: Any
) -> AsyncIterator[socketio.AsyncClient]:
    """An ordinary client."""
    client = socketio.AsyncClient(reconnection=False)
    try:
        await client.connect(url, namespaces=list(namespaces), transports=list(transports), wait_timeout=10, **more)
        yield client
    finally:
        await client.shutdown()

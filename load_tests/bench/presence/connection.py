"""One Socket.IO connection over WebSocket, cheap enough for ten thousand in one process.

python-socketio's client takes four tasks and a queue for each, and Node's takes another process. What presence needs of
the protocol is little: CONNECT with a claim to be recovered, heartbeats, events, acknowledgements.
"""

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any, Protocol

import aiohttp
import msgspec

from hub.kernel.tasks import Tasks

OPEN_S = 30.0
"""Longest time from the first byte to ``session:ready``: a node that takes in a thousand at once may need seconds."""
ANSWER_S = 15.0


class CannotConnect(Exception):
    """The connection was not made; the message says why."""


class Refused(CannotConnect):
    """The connection stands, and what was asked over it is refused."""

    def __init__(self, event: str, error: Mapping[str, Any]) -> None:
        super().__init__(f"{event}: {error}")
        self.code: str = error["code"]
        self.is_temporary: bool = error.get("temporary", False)


class Listener(Protocol):
    """Whose connection it is. Its methods must not wait."""

    def received(self, event: str, payload: Any) -> None:
        """An event came."""
        ...

    def lost(self) -> None:
        """The connection was ready and has ended, and it was not :meth:`Connection.close` that ended it."""
        ...


class Claim(msgspec.Struct, frozen=True):
    """What a connection needs to be recovered (Socket.IO 4.6)."""

    pid: str
    offset: str | None


class Connection:
    """Opened once; after its end there has to be another."""

    def __init__(self, http: aiohttp.ClientSession, tasks: Tasks, listener: Listener) -> None:
        self._http = http
        self._tasks = tasks
        self._listener = listener
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._auth: Mapping[str, object] = {}
        self._ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._closed = False
        self._pid = ""
        self._offset: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it stands no more."""
        return self._closed

    @property
    def claim(self) -> Claim | None:
        """For the connection after this one."""
        return Claim(self._pid, self._offset) if self._pid else None

    async def open(self, port: int, auth: Mapping[str, str], claim: Claim | None = None) -> dict[str, Any]:
        """Connect; the payload of ``session:ready``. Raises CannotConnect."""
        self._auth = {**auth, **({} if claim is None else msgspec.to_builtins(claim))}
        self._offset = None if claim is None else claim.offset
        url = f"http://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"
        try:
            async with asyncio.timeout(OPEN_S):
                self._socket = await self._http.ws_connect(url, compress=0, max_msg_size=0)
                self._tasks.start(self._read(self._socket), name="connection")
                return await self._ready
        except (aiohttp.ClientError, OSError, CannotConnect) as error:  # TimeoutError too
            await self.close()
            raise CannotConnect(repr(error)) from None

    async def call(self, event: str, payload: object) -> Any:
        """Send an event; the data of its acknowledgement. Raises Refused, or CannotConnect if it has no answer."""
        if self._socket is None or self._socket.closed:
            raise CannotConnect("not connected")
        number = next(self._numbers)
        self._answers[number] = answer = asyncio.get_running_loop().create_future()
        text = msgspec.json.encode([event, payload]).decode()
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._socket.send_str(f"42{number}{text}")
                given = await answer
        except (TimeoutError, OSError) as error:
            raise CannotConnect(f"{event}: {error!r}") from None
        finally:
            self._answers.pop(number, None)
        if not given["ok"]:
            raise Refused(event, given["error"])
        return given["data"]

    async def close(self) -> None:
        """End it. Nothing more is heard of it. Harmless if it has ended."""
        self._closed = True
        self._ended("closed")
        if self._socket is not None:
            await self._socket.close()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                await self._packet(socket, message.data)
        except OSError:
            pass  # reset
        finally:
            self._ended("lost")

    def _ended(self, why: str) -> None:
        was_ready = self._ready.done() and self._ready.exception() is None
        for waiting in (self._ready, *self._answers.values()):
            if not waiting.done():
                waiting.set_exception(CannotConnect(why))
                waiting.exception()  # looked at, whether or not somebody still waits
        if was_ready and not self._closed:
            self._closed = True
            self._listener.lost()

    async def _packet(self, socket: aiohttp.ClientWebSocketResponse, text: str) -> None:
        """One Engine.IO packet."""
        match text[:2]:
            case "42":
                self._event(msgspec.json.decode(text[2:]))
            case "43":
                number, _, answer = text[2:].partition("[")
                waiting = self._answers.get(int(number))
                if waiting is not None and not waiting.done():
                    waiting.set_result(msgspec.json.decode(f"[{answer}")[0])
            case "40":
                self._pid = msgspec.json.decode(text[2:]).get("pid", "")
            case "44":
                if not self._ready.done():
                    self._ready.set_exception(CannotConnect(text))
            case "41":
                await socket.close()
            case other if other[:1] == "2":
                await socket.send_str("3")
            case other if other[:1] == "0":
                await socket.send_str(f"40{msgspec.json.encode(self._auth).decode()}")
            case _:
                pass

    def _event(self, packet: list[Any]) -> None:
        event, *arguments = packet
        if self._pid and arguments and isinstance(arguments[-1], str):
            self._offset = arguments.pop()  # as socket.io-client does: the last argument that is a string
        payload = arguments[0] if arguments else {}
        if event == "session:ready" and not self._ready.done():
            self._ready.set_result(payload)
        self._listener.received(event, payload)

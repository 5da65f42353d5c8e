"""Engine.IO sessions (protocol 4) by hand, over either transport, with the same few methods."""

import base64
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self

from tests.support.raw_http import ANSWER_S, Ended, RawConnection, Response, request
from tests.support.raw_websocket import CLOSE_S, Close, Frame, Opcode, RawWebSocket, encode_frame

ENGINE_PATH = "/engine.io/"
SOCKET_PATH = "/socket.io/"
SEPARATOR = b"\x1e"

Packet = str | bytes
"""A text packet with its type in front, or the data of a binary message."""

Connect = Callable[[], Awaitable[RawConnection]]
"""Makes a new connection to the server."""

_CLOSING = frozenset({"1", "2", "6"})
"""What may still come when a session ends: a close, a ping that was on its way, the noop that ends a poll."""


@dataclass(frozen=True)
class Handshake:
    """What the server opened the session with, and the whole of the open packet's JSON."""

    sid: str
    fields: dict[str, Any]

    @classmethod
    def of(cls, packet: str) -> Self:
        """Parse an open packet."""
        assert packet.startswith("0{"), packet
        fields = json.loads(packet[1:])
        return cls(fields["sid"], fields)


class Session(Protocol):
    """What both transports do."""

    @property
    def handshake(self) -> Handshake:
        """What the session was opened with."""

    async def send(self, *packets: Packet) -> None:
        """Send packets, together; the server has to take them."""

    async def push(self, *packets: Packet) -> None:
        """Send packets, whatever the server says to that."""

    async def any_packet(self) -> Packet:
        """The next packet, be it a ping. Raises Ended when the session has ended."""

    async def packet(self) -> Packet:
        """The next packet; pings are answered and passed over. Raises Ended when the session has ended."""

    async def settled(self) -> None:
        """Wait until the server has handled what was sent so far."""

    async def ended(self) -> None:
        """Wait for the end, which has to come at once and with nothing but a close packet before."""


class WebSocketSession:
    """A session over WebSocket, or the candidate for the upgrade of one (which has no handshake)."""

    def __init__(self, socket: RawWebSocket, opened: Handshake | None) -> None:
        self.socket = socket
        self._opened = opened

    @property
    def handshake(self) -> Handshake:
        """What the session was opened with."""
        assert self._opened is not None
        return self._opened

    async def send(self, *packets: Packet) -> None:
        """Send each in a frame of its own, all in one piece."""
        self.socket.send(*map(frame_of, packets))

    push = send

    async def any_packet(self) -> Packet:
        """The next packet, be it a ping. Raises Ended at a close frame as well."""
        frame = await self.socket.frame()
        if frame.opcode == Opcode.CLOSE:
            raise Ended(frame)
        assert frame.opcode in (Opcode.TEXT, Opcode.BINARY), frame
        assert frame.fin, "each packet comes in a frame of its own"
        return frame.payload if frame.opcode == Opcode.BINARY else frame.payload.decode()

    async def packet(self) -> Packet:
        """The next packet; pings are answered and passed over. Raises Ended at a close frame as well."""
        return await _next_but_pings(self)

    async def ended(self) -> None:
        """Wait for the server's close frame, and then the end of the connection."""
        await self.closed()

    async def closed(self) -> Close:
        """As `ended`, and how it was closed."""
        return await self.socket.closed(passing_over=[packet.encode() for packet in _CLOSING])

    async def settled(self) -> None:
        """Wait until the server has read everything so far, as the pong to a ping of WebSocket proves."""
        self.socket.send(encode_frame(b"settled", Opcode.PING))
        while (frame := await self.socket.frame()) != Frame(Opcode.PONG, b"settled"):
            assert frame.payload == b"2", frame

    async def disconnect(self) -> None:
        """Drop the TCP connection without a word."""
        await self.socket.connection.close()


class PollingSession:
    """A session by long-polling: polls go over one kept-alive connection, and posts over another, as in a browser."""

    def __init__(self, connect: Connect, path: str, opened: Handshake, polls: RawConnection | None) -> None:
        self._connect = connect
        self.handshake = opened
        self.target = f"{path}?EIO=4&transport=polling&sid={opened.sid}"
        self.websocket_target = f"{path}?EIO=4&transport=websocket&sid={opened.sid}"
        self._polls: RawConnection | None = polls
        self._posts: RawConnection | None = None
        self._read: list[Packet] = []

    async def post(self, body: bytes) -> Response:
        """Post a body as it stands. Raises Ended if the connection ends instead of an answer."""
        connection, self._posts = self._posts or await self._connect(), None
        connection.send(request("POST", self.target, body, Content_Type="text/plain;charset=UTF-8"))
        response = await connection.response()
        self._posts = _kept(connection, response)
        return response

    async def begin_post(self, body: bytes, missing: int) -> RawConnection:
        """Send a POST that lacks the last bytes of its body."""
        connection, self._posts = self._posts or await self._connect(), None
        connection.send(request("POST", self.target, body, Content_Length=str(len(body) + missing)))
        return connection

    async def begin_poll(self) -> RawConnection:
        """Send a GET; the answer is to be read from the connection, which is then done with."""
        connection, self._polls = self._polls or await self._connect(), None
        connection.send(request("GET", self.target))
        return connection

    async def get(self, timeout_s: float = ANSWER_S) -> Response:
        """Poll once. Raises Ended if the connection ends instead of an answer."""
        connection = await self.begin_poll()
        response = await connection.response(timeout_s)
        self._polls = _kept(connection, response)
        return response

    async def send(self, *packets: Packet) -> None:
        """Send packets in one payload."""
        response = await self.post(encode_payload(packets))
        assert (response.status, response.body) == (200, b"ok"), f"{response.status} {response.body!r}"

    async def push(self, *packets: Packet) -> None:
        """Send packets in one payload, whatever the answer is."""
        with contextlib.suppress(Ended):
            await self.post(encode_payload(packets))

    async def any_packet(self) -> Packet:
        """The next packet, be it a ping, for which it polls if need be. Raises Ended when the answer is not 200."""
        if not self._read:
            response = await self.get()
            if response.status != 200:
                raise Ended(response)
            self._read = decode_payload(response.body)
        return self._read.pop(0)

    async def packet(self) -> Packet:
        """The next packet; pings are answered and passed over. Raises Ended when the answer is not 200."""
        return await _next_but_pings(self)

    async def settled(self) -> None:
        """Nothing is to be waited for: a POST is answered when it has been handled."""

    async def ended(self) -> None:
        """Poll until the session is unknown."""
        assert self._read == []
        for _ in _CLOSING:
            response = await self.get(CLOSE_S)
            if response.status == 400:
                return
            assert set(decode_payload(response.body)) <= _CLOSING, response
        raise AssertionError("the session goes on")

    async def disconnect(self) -> None:
        """Drop the connections that are not in use."""
        for connection in (self._polls, self._posts):
            if connection is not None:
                await connection.close()
        self._polls = self._posts = None


async def _next_but_pings(session: Session) -> Packet:
    while (packet := await session.any_packet()) == "2":
        await session.send("3")
    return packet


def frame_of(packet: Packet) -> bytes:
    """The frame of a packet, as a client sends it."""
    return encode_frame(packet, Opcode.BINARY if isinstance(packet, bytes) else Opcode.TEXT)


def encode_payload(packets: tuple[Packet, ...]) -> bytes:
    """The body of a request with these packets."""
    return SEPARATOR.join(
        b"b" + base64.b64encode(packet) if isinstance(packet, bytes) else packet.encode() for packet in packets
    )


def decode_payload(body: bytes) -> list[Packet]:
    """The packets of a body."""
    return [
        base64.b64decode(item[1:], validate=True) if item[:1] == b"b" else item.decode()
        for item in body.split(SEPARATOR)
    ]


def _kept(connection: RawConnection, response: Response) -> RawConnection | None:
    return None if response.headers.get("connection", "").lower() == "close" else connection

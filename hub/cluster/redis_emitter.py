"""Programs that push into the hub as into Socket.IO servers of Node: by @socket.io/redis-emitter, or its protocol.

They publish by plain pub/sub, and every node hears all of it and serves its own connections: what they emit is neither
kept nor in one order with what the hub emits. A program in Python uses hub.emitter, which has both.

Source: @socket.io/redis-emitter 5.1, @socket.io/redis-adapter 8.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec
from hiredis import ReplyError

from hub.cluster.link import Down, Link, Refused
from hub.cluster.rooms import ClusterRooms
from hub.cluster.servers import Servers
from hub.cluster.shard_commands import AGAIN_S
from hub.kernel.ids import ConnectionId, RoomName
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

TAG: Final = "{s0}"
"""Whose server is listened to. In a Redis Cluster every server passes plain messages on to all."""
NAMESPACE: Final = "/"
EVENT: Final = 2
"""The packet type of socket.io-parser."""
JOIN, LEAVE, DISCONNECT, SERVER_SIDE_EMIT = 2, 3, 4, 6
"""Types of requests; the others are asked by servers, and are not for us."""


class LocalConnections(Protocol):
    """The connections of this node. Implemented in hub.transport."""

    def broadcast(
        self, rooms: Collection[RoomName], arguments: list[Any], *, beside: Collection[RoomName], volatile: bool
    ) -> None:
        """Send an event to everybody in any of the rooms (in none: to all), but not to who is in one of ``beside``.

        Raises TypeError for what cannot be encoded.
        """
        ...

    def select(self, rooms: Collection[RoomName], beside: Collection[RoomName]) -> list[ConnectionId]:
        """The same people."""
        ...

    def dismiss(self, connection_id: ConnectionId) -> None:
        """Close a connection for good."""
        ...


class Target(msgspec.Struct):
    """For whom something is."""

    rooms: list[str] = []
    beside: list[str] = msgspec.field(name="except", default_factory=list)


class Packet(msgspec.Struct):
    """What is emitted."""

    type: int
    data: list[Any]
    nsp: str = NAMESPACE


class Flags(msgspec.Struct):
    """How. The others (``compress``) change nothing here."""

    volatile: bool = False


class Options(Target):
    """For whom, and how."""

    flags: Flags = msgspec.field(default_factory=Flags)


class Request(msgspec.Struct):
    """Something to do with connections."""

    type: int
    opts: Target = msgspec.field(default_factory=Target)
    rooms: list[str] = []
    close: bool = False


class RedisEmitter:
    """Hears such programs, over a link of its own."""

    def __init__(self, servers: Servers, local: LocalConnections, rooms: ClusterRooms, tasks: Tasks, key: str) -> None:
        """``key`` is theirs: what the names of their channels begin with."""
        self._servers = servers
        self._local = local
        self._rooms = rooms
        self._tasks = tasks
        self._events = f"{key}#{NAMESPACE}#*"
        self._requests = f"{key}-request#{NAMESPACE}#"
        self._is_known_deaf = False

    async def run(self) -> None:
        """Listen for ever. What is published while the link is being made anew is lost, as with Node."""
        while True:
            try:
                await self._listen()
            except (Down, Refused) as error:
                level = logging.DEBUG if self._is_known_deaf else logging.WARNING  # there are 20 tries a second
                log.log(level, "other programs are not heard: %s", error)
                self._is_known_deaf = True
            await asyncio.sleep(AGAIN_S)

    async def _listen(self) -> None:
        link, gone = await Link.open(await self._servers.locate(TAG)), asyncio.Event()
        link.lost = gone.set
        try:
            link.listen(self._on_reply)
            link.send("PSUBSCRIBE", self._events)
            link.send("SUBSCRIBE", self._requests)
            self._is_known_deaf = False
            await gone.wait()
        finally:
            link.close()
        raise Down("the link broke")

    def _on_reply(self, reply: Any) -> None:
        if isinstance(reply, ReplyError):
            log.warning("other programs are not heard: %s", reply)
            return
        try:
            match reply:
                case [b"pmessage", _, _, bytes(message)]:
                    self._emit(message)
                case [b"message", _, bytes(message)]:
                    self._request(message)
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
            log.warning("what another program published is not understood: %s", error)

    def _emit(self, message: bytes) -> None:
        """``[id of the program, packet, options]`` in MessagePack."""
        _, packet, options = _read(message)
        if packet.type != EVENT or packet.nsp != NAMESPACE or not packet.data or not isinstance(packet.data[0], str):
            raise ValueError("not an event of the default namespace")
        rooms, beside = _names(options.rooms), _names(options.beside)
        self._local.broadcast(rooms, _plain(packet.data), beside=beside, volatile=options.flags.volatile)

    def _request(self, message: bytes) -> None:
        """JSON, or, from servers of a later version, MessagePack, which asks nothing of us."""
        if not message.startswith(b"{"):
            return
        request = _read_request(message)
        if request.type not in (JOIN, LEAVE, DISCONNECT):
            if request.type == SERVER_SIDE_EMIT:
                log.info("serverSideEmit is for servers of Node: nothing in the hub takes it")
            return
        chosen = self._local.select(_names(request.opts.rooms), _names(request.opts.beside))
        if request.type == DISCONNECT:
            for connection_id in chosen:
                self._local.dismiss(connection_id)
        elif chosen:
            move = self._rooms.join if request.type == JOIN else self._rooms.leave
            self._tasks.start(_move(move, chosen, _names(request.rooms)), name="moved by another program")


async def _move(move: Any, connection_ids: Sequence[ConnectionId], rooms: Sequence[RoomName]) -> None:
    for connection_id in connection_ids:
        for room in rooms:
            await move(connection_id, room)


def _names(rooms: Sequence[str]) -> list[RoomName]:
    return [RoomName(room) for room in rooms]


def _undefined(code: int, _data: memoryview) -> None:
    """What notepack.io writes for ``undefined``, and nothing else that MessagePack has not."""
    if code != 0:
        raise ValueError(f"an extension of MessagePack with the code {code}")


def _plain(value: Any) -> Any:
    """The value with dates as JavaScript writes them into JSON."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
    return value


_read = msgspec.msgpack.Decoder(tuple[Any, Packet, Options], ext_hook=_undefined).decode
_read_request = msgspec.json.Decoder(Request).decode

"""What the Admin UI may do to sockets: ``emit``, ``join``, ``leave`` and ``_disconnect``.

All name a namespace and, as a filter, rooms of it; a socket's id is a room too, and no filter is everybody. They reach
the sockets of this server; those of others are reached by the Admin UI of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, TypeAlias

import msgspec
from msgspec import Meta

from hub.transport.engineio.session import Reason
from hub.transport.socketio.packets import RESERVED_EVENTS
from hub.transport.socketio.rooms import Packets
from hub.transport.socketio.socket import CONNECTED, Socket

if TYPE_CHECKING:
    from hub.transport.socketio.client import Client
    from hub.transport.socketio.server import SocketServer

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
Filter: TypeAlias = Name | Annotated[list[Name], Meta(max_length=1000)] | None
_EMIT_DATA: Final = 3
"""Where the data of the event begins that is to be emitted."""


class Emit(msgspec.Struct, array_like=True):
    """``emit(namespace, filter, event, ...data)``."""

    namespace: Name
    filter: Filter
    event: Name


class Move(msgspec.Struct, array_like=True):
    """``join(namespace, room, filter)``, and ``leave`` with the same."""

    namespace: Name
    room: Name
    filter: Filter = None


class Disconnect(msgspec.Struct, array_like=True):
    """``_disconnect(namespace, close, filter)``; ``close``: the whole client, with its other namespaces."""

    namespace: Name
    close: bool = False
    filter: Filter = None


class WideRooms(Protocol):
    """Rooms that go over several nodes, where joining and leaving is more than being put in and taken out here."""

    def is_kept(self, namespace: str, room: str) -> bool:
        """Whether nobody may be put into a room or out of it by hand."""
        ...

    async def enter(self, socket: Socket, room: str) -> None:
        """Put a socket of this server into a room."""
        ...

    async def leave(self, socket: Socket, room: str) -> None:
        """Take a socket of this server out of a room."""
        ...


class Commands:
    """Carries them out."""

    def __init__(self, server: SocketServer, wide: WideRooms | None = None) -> None:
        self._server = server
        self._wide = wide

    async def run(self, name: str, arguments: list[Any]) -> int:
        """Do what an event of the Admin UI asks for, and say to how many sockets.

        Raises ValueError for a command that there is not, and for arguments that do not fit.
        """
        match name:
            case "emit":
                return self._emit(msgspec.convert(arguments, Emit), arguments[_EMIT_DATA:])
            case "join":
                return await self._join(msgspec.convert(arguments, Move))
            case "leave":
                return await self._leave(msgspec.convert(arguments, Move))
            case "_disconnect":
                return self._disconnect(msgspec.convert(arguments, Disconnect))
        raise ValueError("there is no such command")

    def _emit(self, given: Emit, data: list[Any]) -> int:
        if given.event in RESERVED_EVENTS:
            raise ValueError("a reserved event name")
        sids = [socket.sid for socket in self._targets(given.namespace, given.filter)]
        if not sids:
            return 0
        rooms = self._server.rooms_of(given.namespace)
        return rooms.send(self._server.engine.outboxes, sids, Packets(given.namespace, [given.event, *data]))

    async def _join(self, given: Move) -> int:
        self._check(given)
        sockets = self._targets(given.namespace, given.filter)
        for socket in sockets:
            if given.room == socket.sid:
                continue
            if self._wide is None:
                self._server.rooms_of(given.namespace).join(socket, given.room)
            else:
                await self._wide.enter(socket, given.room)
        return len(sockets)

    async def _leave(self, given: Move) -> int:
        self._check(given)
        sockets = self._targets(given.namespace, given.filter)
        for socket in sockets:
            if self._wide is None:
                self._server.rooms_of(given.namespace).leave(socket, given.room)
            else:
                await self._wide.leave(socket, given.room)
        return len(sockets)

    def _check(self, given: Move) -> None:
        if self._wide is not None and self._wide.is_kept(given.namespace, given.room):
            raise ValueError("who is in this room is not decided by hand")

    def _disconnect(self, given: Disconnect) -> int:
        sockets = self._targets(given.namespace, given.filter)
        for socket in sockets:
            if given.close:
                self._end(socket.client)
            elif socket.state == CONNECTED:
                self._server.dismiss(socket, Reason.SERVER_DISCONNECT)
        return len(sockets)

    def _end(self, client: Client) -> None:
        for socket in client.sockets():
            if socket.state == CONNECTED:
                self._server.dismiss(socket, Reason.SERVER_DISCONNECT)
        client.session.close(Reason.SERVER_DISCONNECT)

    def _targets(self, namespace: str, rooms: Filter) -> list[Socket]:
        """Connected sockets. Of a namespace without any nothing is made, whatever it is called."""
        if namespace not in self._server.connected_namespaces():
            return []
        names = rooms if isinstance(rooms, list) else [rooms]
        return [one for one in self._server.rooms_of(namespace).receivers(names) if one.state == CONNECTED]

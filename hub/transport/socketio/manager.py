"""What python-socketio's server asks its manager, answered from our rooms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import socketio

from hub.transport.engineio.session import Reason
from hub.transport.socketio.socket import CONNECTED, Socket

if TYPE_CHECKING:
    from hub.transport.socketio.server import SocketServer


class RoomManager(socketio.AsyncManager):
    """python-socketio's manager without a store of its own. Nothing passes through it that is sent or received."""

    server: SocketServer

    def _socket(self, sid: str | None, namespace: str) -> Socket | None:
        if sid is None:
            return None
        return self.server.rooms_of(namespace).sockets.get(sid) or self.server.leaving.get(sid)

    def get_namespaces(self) -> list[str]:
        """Namespaces with sockets."""
        return self.server.connected_namespaces()

    def get_participants(self, namespace: str, room: Any) -> Iterator[tuple[str, str]]:
        """Socket id and session id of each member."""
        for one in room if isinstance(room, list | tuple) else [room]:
            for socket in self.server.rooms_of(namespace).members(one):
                yield socket.sid, socket.client.session.sid

    def is_connected(self, sid: str, namespace: str) -> bool:
        """Whether the socket is connected."""
        socket = self._socket(sid, namespace)
        return socket is not None and socket.state == CONNECTED

    def eio_sid_from_sid(self, sid: str, namespace: str) -> str | None:
        """The session of a socket."""
        socket = self._socket(sid, namespace)
        return None if socket is None else socket.client.session.sid

    def sid_from_eio_sid(self, eio_sid: str, namespace: str) -> str | None:
        """The socket of a session."""
        for socket in self.server.rooms_of(namespace).sockets.values():
            if socket.client.session.sid == eio_sid:
                return socket.sid
        return None

    async def can_disconnect(self, sid: str, namespace: str) -> bool:
        """Whether the socket is connected."""
        return self.is_connected(sid, namespace)

    def basic_enter_room(self, sid: str, namespace: str, room: str, eio_sid: str | None = None) -> None:
        """Put a socket into a room. Raises ValueError if it is not connected."""
        socket = self._socket(sid, namespace)
        if socket is None:
            raise ValueError("sid is not connected to requested namespace")
        if room != sid:
            self.server.rooms_of(namespace).join(socket, room)

    def basic_leave_room(self, sid: str, namespace: str, room: str) -> None:
        """Take a socket out of a room."""
        if (socket := self._socket(sid, namespace)) is not None:
            self.server.rooms_of(namespace).leave(socket, room)

    def basic_close_room(self, room: str, namespace: str) -> None:
        """Take every socket out of a room."""
        rooms = self.server.rooms_of(namespace)
        for socket in list(rooms.members(room)):
            rooms.leave(socket, room)

    def get_rooms(self, sid: str, namespace: str) -> list[str]:
        """The rooms of a socket, its own first."""
        socket = self._socket(sid, namespace)
        return [] if socket is None else [sid, *socket.rooms]

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **_: Any,
    ) -> None:
        """Send an event."""
        await self.server.emit(event, data, room=to or room, skip_sid=skip_sid, namespace=namespace, callback=callback)

    async def disconnect(self, sid: str, namespace: str, **_: Any) -> None:
        """Disconnect a socket."""
        if (socket := self._socket(sid, namespace)) is not None:
            self.server.dismiss(socket, Reason.SERVER_DISCONNECT)

"""The Socket.IO Admin UI of a hub: off, unless its operator names a file with a password."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub.kernel.ids import ConnectionId, NodeId, RoomName
from hub.kernel.operations import Peers
from hub.kernel.ports import Rooms
from hub.transport.admin_ui_settings import AdminUiSettings
from hub.transport.deliveries import NAMESPACE

if TYPE_CHECKING:
    from hub.transport.engineio.request import Request
    from hub.transport.socketio.server import SocketServer
    from hub.transport.socketio.socket import Socket
    from hub.transport.sockets import Sockets

KEPT_ROOMS: Final = ("user:", "session:")
MIN_PASSWORD: Final = 16
"""Characters. Nothing but its length keeps a password from being guessed at one try a second and connection."""


class PasswordFileError(Exception):
    """The password file cannot be used; the message says why."""


class RoomsOfTheHub:
    """Implements hub.transport.socketio.admin.commands.WideRooms: a room is followed while it has members here."""

    def __init__(self, server: SocketServer, rooms: Rooms) -> None:
        self._server, self._rooms = server, rooms

    def is_kept(self, namespace: str, room: str) -> bool:
        """See WideRooms. By these rooms connections are revoked, and what is for one person alone goes to one."""
        return namespace == NAMESPACE and room.startswith(KEPT_ROOMS)

    async def enter(self, socket: Socket, room: str) -> None:
        """See WideRooms."""
        if socket.namespace == NAMESPACE:
            await self._rooms.join(ConnectionId(socket.sid), RoomName(room))
        else:
            self._server.rooms_of(socket.namespace).join(socket, room)

    async def leave(self, socket: Socket, room: str) -> None:
        """See WideRooms."""
        if socket.namespace == NAMESPACE:
            await self._rooms.leave(ConnectionId(socket.sid), RoomName(room))
        else:
            self._server.rooms_of(socket.namespace).leave(socket, room)


def serve_admin_ui(
    server: SocketServer, sockets: Sockets, rooms: Rooms, settings: AdminUiSettings, node_id: NodeId, peers: Peers
) -> None:
    """Serve it, if it is switched on. Raises PasswordFileError."""
    if settings.password_file is not None:
        server.instrument(
            {"username": settings.user, "password": password_in(settings.password_file)},
            mode=settings.mode,
            read_only=settings.read_only,
            server_id=node_id,
            admits=may_sign_in,
            details=sockets.details,
            peers=peers,
            wide=RoomsOfTheHub(server, rooms),
        )


def may_sign_in(request: Request) -> bool:
    """Whether a request comes from this machine, or is a page's, whose origin has been checked at the door.

    A reverse proxy on this machine is this machine.
    """
    try:
        is_local = ipaddress.ip_address(request.address).is_loopback
    except ValueError:  # a Unix socket has no address
        is_local = False
    return is_local or bool(request.head.header(b"origin"))


def password_in(path: Path) -> str:
    """The password in a file. Raises PasswordFileError if others may read it, or it is too short."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            password = file.read(10_000).strip()
    except OSError as error:
        raise PasswordFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise PasswordFileError(f"{path} is no text") from None
    if mode & 0o077:
        raise PasswordFileError(f"others may read {path} (mode {mode:o}): chmod 600 it, or write another password")
    if len(password) < MIN_PASSWORD:
        raise PasswordFileError(f"the password in {path} is shorter than {MIN_PASSWORD} characters")
    return password

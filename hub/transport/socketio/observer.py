"""What can be told of all that happens in the namespaces of a server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from hub.transport.socketio.socket import Socket


class Observer(Protocol):
    """Told of what happens, from within it: its methods must neither block nor raise.

    A server without one tests for that once an event and once a fan-out, and for nothing per receiver.
    """

    def connected(self, socket: Socket) -> None:
        """A CONNECT was accepted. The socket may be in rooms already, of which nothing was told."""
        ...

    def disconnected(self, socket: Socket, reason: str) -> None:
        """A socket is gone; its ``rooms`` are those that it has left by that."""
        ...

    def joined(self, socket: Socket, room: str) -> None:
        """A socket, which may not be connected yet, is being put into a room that it was not in."""
        ...

    def left(self, socket: Socket, room: str) -> None:
        """A socket that stays connected has left a room."""
        ...

    def received(self, socket: Socket, arguments: list[Any]) -> None:
        """An event has come, and is about to be served. The first argument is its name."""
        ...

    def sent(self, sockets: Iterable[Socket], arguments: list[Any]) -> None:
        """An event was sent. Its receivers are looked up only as far as they are asked for."""
        ...

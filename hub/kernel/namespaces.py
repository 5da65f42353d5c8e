"""Namespaces of Socket.IO that are made for as long as somebody is in them, for protocols of their own."""

from collections.abc import Callable
from typing import Any, Protocol

from hub.kernel.framed import FramedSocket, Sender

Answer = Callable[[list[Any]], object]
"""Takes the arguments of an acknowledgement."""


class NamespaceSocket(FramedSocket, Protocol):
    """A client's membership of one namespace. Its messages are events, written as :meth:`event` and so on give them.

    It is never full: a client that does not keep up is cut off, and comes back. ``id`` is that of its connection.
    """

    @property
    def socket_id(self) -> str:
        """Of the membership: unique in the cluster."""
        ...

    @property
    def form(self) -> bytes:
        """Names the parser: an event is written the same for all sockets of a namespace that have the same one."""
        ...

    def event(self, name: str, *arguments: Any) -> bytes:
        """The message of an event."""
        ...

    def question(self, answer: Answer, name: str, *arguments: Any) -> bytes:
        """The message, for this socket alone, of an event that it acknowledges.

        Only the last question's answer is taken: a client that gives none must not fill the memory.
        """
        ...

    def acknowledgement(self, number: int, *arguments: Any) -> bytes:
        """The message that answers an event of the client, by its number."""
        ...

    def accept(self) -> None:
        """Let it in. Events are served from here on."""
        ...

    def refuse(self, message: str) -> None:
        """Do not; the client is told why."""
        ...

    def leave(self) -> None:
        """Put it out. An unmodified client does not come back by itself."""
        ...


class NamespaceReceiver(Protocol):
    """What is behind a socket. Called outside any task; must neither block nor raise."""

    def event(self, name: str, arguments: list[Any], number: int | None) -> None:
        """An event; with a ``number`` the client waits for an answer."""
        ...

    def closed(self) -> None:
        """It is over. Called once, also if it was never let in."""
        ...


class NamespaceEndpoint(Protocol):
    """Serves the namespaces with a prefix."""

    def opened(self, socket: NamespaceSocket, name: str, auth: object) -> NamespaceReceiver:
        """A client asks to come in; ``name`` is what stands after the prefix. Accept or refuse it, later.

        Must not raise.
        """
        ...


class Namespaces(Sender, Protocol):
    """The namespaces of this node. Implemented in hub.transport."""

    def mount(self, prefix: str, endpoint: NamespaceEndpoint) -> None:
        """Serve all namespaces whose names begin so."""
        ...

"""WebSockets of binary messages, for endpoints that speak a protocol of their own beside Socket.IO."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol


class FramedSocket(Protocol):
    """One WebSocket. No method blocks; after its end each does nothing."""

    @property
    def id(self) -> str:
        """Unique in the cluster."""
        ...

    @property
    def address(self) -> str:
        """Where it comes from."""
        ...

    @property
    def full(self) -> bool:
        """Whether more waits for its client than is kept for one that does not read."""
        ...

    def send(self, message: bytes, *, volatile: bool = False) -> None:
        """Send a message, in the order of the calls. ``volatile``: it is dropped while the client does not keep up."""
        ...

    def pause(self) -> None:
        """Take no more messages for now, so that TCP slows the client down. Pauses are counted."""
        ...

    def resume(self) -> None:
        """End a pause."""
        ...

    def close(self, code: int, reason: str = "") -> None:
        """Close it, after what was sent."""
        ...


class FramedReceiver(Protocol):
    """What is behind a socket. Called outside any task; must neither block nor raise."""

    def message(self, message: bytes) -> None:
        """A binary message came."""
        ...

    def filled(self) -> None:
        """The socket is full. What waits is still sent, no message is taken until :meth:`drained`, and whatever is
        sent in between is kept without a bound: so only answers should be.
        """
        ...

    def drained(self) -> None:
        """The client has taken everything."""
        ...

    def keep_alive(self) -> None:
        """Called every 15 seconds at least: some clients leave a server that says nothing in their protocol."""
        ...

    def closed(self) -> None:
        """It is over. Called once, and nothing after it."""
        ...


class FramedEndpoint(Protocol):
    """Serves a path."""

    def opened(self, socket: FramedSocket, name: str, query: Mapping[str, str]) -> FramedReceiver:
        """A client has connected; ``name`` is what stands after the endpoint's path. Must not raise."""
        ...


class Sender(Protocol):
    """Sends to many sockets of one kind."""

    def send_all(self, sockets: Iterable[FramedSocket], messages: Sequence[bytes], *, volatile: bool = False) -> None:
        """Send the same messages, in this order, to many: their frames are made once."""
        ...


class FramedSockets(Sender, Protocol):
    """The sockets of this node, of all endpoints. Implemented in hub.transport."""

    def mount(self, path: str, endpoint: FramedEndpoint, *, max_message: int) -> None:
        """Serve ``path`` or, if it ends with a slash, every name below it; messages have ``max_message`` bytes at most.

        More than that is closed with 1009.
        """
        ...

"""The admins that are signed in here, what they are told, and in what order a picture and the changes after it come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hub.kernel.ids import NodeId
from hub.transport.engineio.outbox import Volatile
from hub.transport.socketio.packets import EVENT
from hub.transport.socketio.rooms import Packets
from hub.transport.socketio.socket import Socket


class Change(NamedTuple):
    """Something that an admin is told."""

    number: int
    """Its place among all that its node tells."""
    event: str
    arguments: list[Any]
    droppable: bool
    """Whether it is not for those who do not keep up."""


class Admin:
    """One admin. While a picture is put together for it, changes of other nodes wait; those of this one are in it."""

    __slots__ = ("_seen", "socket", "waiting")

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.waiting: list[tuple[NodeId, Change]] | None = None
        self._seen: Mapping[NodeId, int] = {}
        """The last change of each node that is in the picture."""

    def show(self, picture: list[dict[str, Any]], seen: Mapping[NodeId, int]) -> None:
        """Send the picture, and what waited. ``seen`` has the last change of each node that is in it."""
        waiting, self.waiting, self._seen = self.waiting or [], None, seen
        self.send("all_sockets", [picture])
        for node, change in waiting:
            self.change_elsewhere(node, change)

    def change_elsewhere(self, node: NodeId, change: Change) -> None:
        """Tell of a change on another node, if it is not in the picture: replies and notices overtake each other."""
        if self.waiting is not None:
            self.waiting.append((node, change))
        elif change.number > self._seen.get(node, 0):
            self.send(change.event, change.arguments, droppable=change.droppable)

    def send(self, event: str, arguments: list[Any], *, droppable: bool = False) -> None:
        """Send it an event. If it does not read, it is cut in the end, as any client."""
        codec = self.socket.client.codec
        framed = codec.encode(EVENT, self.socket.namespace, None, [event, *arguments])
        self.socket.send(Volatile(framed) if droppable else framed)


class Audience:
    """All of them."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.admins: dict[str, Admin] = {}

    def __len__(self) -> int:
        return len(self.admins)

    def tell(self, event: str, *arguments: Any) -> None:
        """Send an event to every admin, whatever it waits for."""
        packets = Packets(self.namespace, [event, *arguments])
        for admin in self.admins.values():
            admin.socket.send(packets(admin.socket.client.form))

    def change(self, change: Change) -> None:
        """Tell of a change on this node."""
        for admin in self.admins.values():
            if admin.waiting is None:
                admin.send(change.event, change.arguments, droppable=change.droppable)

    def change_elsewhere(self, node: NodeId, change: Change) -> None:
        """Tell of a change on another node."""
        for admin in self.admins.values():
            admin.change_elsewhere(node, change)

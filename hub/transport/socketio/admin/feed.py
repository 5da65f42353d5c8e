"""What happens to sockets, told to the admins in development mode, and never more of it than they can take.

Changes (who is connected, who is in which room) make up what the Admin UI shows, so when there are more than it is told
of, it gets the whole picture anew. Events are there to be looked at: of those beyond the limit nothing is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import orjson

from hub.kernel.clock import Clock
from hub.transport.engineio.outbox import Volatile
from hub.transport.engineio.session import Session
from hub.transport.socketio.admin import view
from hub.transport.socketio.admin.view import Since
from hub.transport.socketio.client import Client
from hub.transport.socketio.packets import EVENT
from hub.transport.socketio.rooms import Packets
from hub.transport.socketio.socket import CONNECTED, Socket

if TYPE_CHECKING:
    from hub.transport.socketio.server import SocketServer

EVENTS_A_SECOND: Final = 200
"""Mirrored. The page keeps the last thousand; each is cut to 2000 characters, and dropped for who does not keep up."""
RECEIVERS_SHOWN: Final = 20
"""Of one event that goes to many, so that one large room does not hide all else."""
CHANGES_A_SECOND: Final = 500
"""Told one by one: 300 KB. After a mass reconnect the whole picture is less."""
MAX_SOCKETS: Final = 500
"""In the whole picture, which takes 7 ms in one turn of the loop. The statistics count them all."""
MAX_PICTURE_BYTES: Final = 512 << 10
"""Of the whole picture, half of what is kept for a client that does not read."""


class Allowance:
    """So many a second."""

    __slots__ = ("_left", "_now", "_per_second", "_second")

    def __init__(self, per_second: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._now = per_second, now
        self._left, self._second = per_second, int(now())

    def left(self) -> int:
        """How many more are allowed in this second."""
        second = int(self._now())
        if second != self._second:
            self._left, self._second = self._per_second, second
        return self._left

    def take(self) -> bool:
        """Use one up, if there is one."""
        if self.left() == 0:
            return False
        self._left -= 1
        return True


class Audience:
    """The admins that are signed in."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.sockets: dict[str, Socket] = {}

    def __len__(self) -> int:
        return len(self.sockets)

    def tell(self, event: str, *arguments: Any) -> None:
        """Send an event to every admin. One who does not read is cut in the end, as any client."""
        packets = Packets(self.namespace, [event, *arguments])
        for socket in self.sockets.values():
            socket.send(packets(socket.client.form))

    def mirror(self, event: str, *arguments: Any) -> None:
        """The same, dropped for who does not keep up."""
        for socket in self.sockets.values():
            framed = socket.client.codec.encode(EVENT, self.namespace, None, [event, *arguments])
            socket.send(Volatile(framed))


class Feed:
    """Implements hub.transport.socketio.observer.Observer."""

    def __init__(
        self,
        server: SocketServer,
        audience: Audience,
        clock: Clock,
        details: Callable[[Socket], Mapping[str, Any]] | None,
    ) -> None:
        self._server, self._audience, self._clock = server, audience, clock
        self._details = details
        self._since: dict[str, Since] = {}
        """Of every connected socket: a request is dropped once its socket is connected."""
        self._events = Allowance(EVENTS_A_SECOND)
        self._changes = Allowance(CHANGES_A_SECOND)
        self._is_behind = False
        for socket in self._connected():
            self._remember(socket)

    # ---------------------------------------------------------------- the whole picture

    def picture(self) -> list[dict[str, Any]]:
        """The connected sockets of every namespace, as far as the limits go."""
        shown: list[dict[str, Any]] = []
        size = 0
        for socket in islice(self._connected(), MAX_SOCKETS):
            described = self._describe(socket)
            size += len(orjson.dumps(described, None, orjson.OPT_NON_STR_KEYS))
            if size > MAX_PICTURE_BYTES:
                break
            shown.append(described)
        return shown

    def catch_up(self) -> None:
        """Tell the admins all, if there was more to tell than they were told."""
        if self._is_behind:
            self._is_behind = False
            self._audience.tell("all_sockets", self.picture())

    def _connected(self) -> Iterable[Socket]:
        for namespace in self._server.connected_namespaces():
            for socket in self._server.rooms_of(namespace).sockets.values():
                if socket.state == CONNECTED:
                    yield socket

    def _describe(self, socket: Socket) -> dict[str, Any]:
        since = self._since.get(socket.sid) or self._remember(socket)
        return view.describe(socket, since, {} if self._details is None else self._details(socket))

    def _remember(self, socket: Socket) -> Since:
        request = socket.client.request
        since = self._since[socket.sid] = Since(self._clock.now_ms(), "" if request is None else request.address)
        return since

    # ---------------------------------------------------------------- changes

    def connected(self, socket: Socket) -> None:
        """See Observer."""
        self._remember(socket)
        if self._may_tell():
            self._audience.tell("socket_connected", self._describe(socket), self._now())

    def disconnected(self, socket: Socket, reason: str) -> None:
        """See Observer. The page keeps a socket in the list of each room until it is told otherwise."""
        if self._since.pop(socket.sid, None) is None:
            return
        if self._may_tell():
            self._audience.tell("socket_disconnected", socket.namespace, socket.sid, reason, self._now())
        for room in (socket.sid, *socket.rooms):
            self._tell_of_room("room_left", socket, room)

    def joined(self, socket: Socket, room: str) -> None:
        """See Observer. Rooms of a socket that is not connected yet are told with it."""
        if socket.state == CONNECTED:
            self._tell_of_room("room_joined", socket, room)

    def left(self, socket: Socket, room: str) -> None:
        """See Observer."""
        if socket.sid in self._since:
            self._tell_of_room("room_left", socket, room)

    def upgraded(self, session: Session) -> None:
        """A polling session has moved to a WebSocket."""
        if not isinstance(session.receiver, Client):
            return  # plain Engine.IO
        for socket in session.receiver.sockets():
            if socket.state == CONNECTED and self._may_tell():
                change = {"id": socket.sid, "nsp": socket.namespace, "transport": view.transport_of(socket)}
                self._audience.tell("socket_updated", change)

    def _tell_of_room(self, event: str, socket: Socket, room: str) -> None:
        if self._may_tell():
            self._audience.tell(event, socket.namespace, view.text(room), socket.sid, self._now())

    def _may_tell(self) -> bool:
        """Whether there is somebody to tell of one more change; if it is too many, all is told later."""
        if not self._audience:
            return False
        if self._changes.take():
            return True
        self._is_behind = True
        return False

    # ---------------------------------------------------------------- events

    def received(self, socket: Socket, arguments: list[Any]) -> None:
        """See Observer."""
        if self._audience and socket.namespace != self._audience.namespace and self._events.take():
            self._audience.mirror("event_received", socket.namespace, socket.sid, view.event(arguments), self._now())

    def sent(self, sockets: Iterable[Socket], arguments: list[Any]) -> None:
        """See Observer."""
        if not self._audience or not self._events.left():
            return
        shown: list[Any] | None = None
        for socket in islice(sockets, RECEIVERS_SHOWN):
            if socket.namespace == self._audience.namespace or not self._events.take():
                return
            shown = shown or view.event(arguments)
            self._audience.mirror("event_sent", socket.namespace, socket.sid, shown, self._now())

    def _now(self) -> str:
        return view.timestamp(self._clock.now())

"""What happens to sockets, told to the admins in development mode, and never more of it than they can take.

Changes (who is connected, who is in which room) make up what the Admin UI shows, so when there are more than it is told
of, it gets the whole picture anew. Events are there to be looked at: of those beyond the limit nothing is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING, Any, Final

import orjson

from hub.kernel.clock import Clock
from hub.transport.engineio.session import Session
from hub.transport.socketio.admin import view
from hub.transport.socketio.admin.audience import Audience
from hub.transport.socketio.admin.neighbours import Neighbours
from hub.transport.socketio.admin.view import Since
from hub.transport.socketio.client import Client
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


class Feed:
    """Implements hub.transport.socketio.observer.Observer."""

    def __init__(
        self,
        server: SocketServer,
        audience: Audience,
        neighbours: Neighbours,
        clock: Clock,
        details: Callable[[Socket], Mapping[str, Any]] | None,
    ) -> None:
        self._server, self._audience, self._neighbours, self._clock = server, audience, neighbours, clock
        self._details = details
        self._since: dict[str, Since] = {}
        """Of every connected socket: a request is dropped once its socket is connected."""
        self._events = Allowance(EVENTS_A_SECOND)
        self._changes = Allowance(CHANGES_A_SECOND)
        self.is_behind = False
        """Whether there was more to tell than was told."""
        for socket in self._connected():
            self._remember(socket)

    # ---------------------------------------------------------------- the whole picture

    def picture(self, most: int | None = None) -> list[dict[str, Any]]:
        """The connected sockets of every namespace of this server, as far as the limits go, and ``most``."""
        sockets = islice(self._connected(), MAX_SOCKETS if most is None else min(most, MAX_SOCKETS))
        return _bounded(self._describe(socket) for socket in sockets)

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
            self._tell("socket_connected", self._describe(socket), self._now())

    def disconnected(self, socket: Socket, reason: str) -> None:
        """See Observer. The page keeps a socket in the list of each room until it is told otherwise."""
        if self._since.pop(socket.sid, None) is None:
            return
        if self._may_tell():
            self._tell("socket_disconnected", socket.namespace, socket.sid, reason, self._now())
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
                self._tell("socket_updated", change)

    def _tell_of_room(self, event: str, socket: Socket, room: str) -> None:
        if self._may_tell():
            self._tell(event, socket.namespace, view.text(room), socket.sid, self._now())

    def _may_tell(self) -> bool:
        """Whether there is somebody to tell of one more change; if it is too many, all is told later."""
        if not self._has_audience():
            return False
        if self._changes.take():
            return True
        self.is_behind = True
        return False

    def _has_audience(self) -> bool:
        return bool(self._audience) or self._neighbours.has_watchers()

    def _tell(self, event: str, *arguments: Any, droppable: bool = False) -> None:
        """Tell the admins of all nodes."""
        self._audience.change(self._neighbours.tell(event, list(arguments), droppable=droppable))

    # ---------------------------------------------------------------- events

    def received(self, socket: Socket, arguments: list[Any]) -> None:
        """See Observer."""
        if self._has_audience() and socket.namespace != self._audience.namespace and self._events.take():
            shown = view.event(arguments)
            self._tell("event_received", socket.namespace, socket.sid, shown, self._now(), droppable=True)

    def sent(self, sockets: Iterable[Socket], arguments: list[Any]) -> None:
        """See Observer."""
        if not self._has_audience() or not self._events.left():
            return
        shown: list[Any] | None = None
        for socket in islice(sockets, RECEIVERS_SHOWN):
            if socket.namespace == self._audience.namespace or not self._events.take():
                return
            shown = shown or view.event(arguments)
            self._tell("event_sent", socket.namespace, socket.sid, shown, self._now(), droppable=True)

    def _now(self) -> str:
        return view.timestamp(self._clock.now())


def merged(pictures: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The pictures of several nodes as one, in turn a socket of each, as far as the limits go."""
    in_turn = chain.from_iterable(zip_longest(*pictures))
    return _bounded(islice((shown for shown in in_turn if shown is not None), MAX_SOCKETS))


def _bounded(sockets: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    size = 0
    for described in sockets:
        size += len(orjson.dumps(described, None, orjson.OPT_NON_STR_KEYS))
        if size > MAX_PICTURE_BYTES:
            break
        shown.append(described)
    return shown

"""Who is in which namespace and room on this node, and sending to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from hub.transport.engineio.outbox import Outboxes, Sink
from hub.transport.socketio.codecs import COMMON, FORMS, Codec, Form
from hub.transport.socketio.packets import EVENT
from hub.transport.socketio.socket import Socket

if TYPE_CHECKING:
    from hub.transport.socketio.observer import Observer

FEW_ROOMS: Final = 4
"""So many rooms of a socket are a tuple: most sockets are in two, and a set takes 160 bytes more."""


class Lone(Mapping[str, Sink]):
    """The one member of a room. A dict takes 200 bytes more, and every person and every sign-in has a room."""

    __slots__ = ("_sid", "_sink")

    def __init__(self, sid: str, sink: Sink) -> None:
        self._sid, self._sink = sid, sink

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        yield self._sid

    def __getitem__(self, sid: str) -> Sink:
        if sid != self._sid:
            raise KeyError(sid)
        return self._sink


Members = Lone | dict[str, Sink]
"""The sink of each socket, by its id. Sending touches nothing but sinks, so a socket that is not accepted yet, whose
sink is a lobby, needs no condition in the loop."""


class Rooms:
    """The sockets of one namespace and their rooms, a table for each form in which events are sent.

    Joining and leaving are O(1), and a socket that goes is taken out in O(its rooms): with a set of all rooms to
    search, the end of 5000 connections was the longest pause of a stock server.
    """

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.sockets: dict[str, Socket] = {}
        self._members: dict[Form, dict[str, Members]] = {form: {} for form in FORMS.values()}
        self.observer: Observer | None = None

    def add(self, socket: Socket) -> None:
        """Know a socket, in no room yet."""
        self.sockets[socket.sid] = socket

    def remove(self, socket: Socket) -> None:
        """Forget a socket: it is sent nothing more. Its ``rooms`` stay as they were, to say what it has left."""
        self.sockets.pop(socket.sid, None)
        for room in socket.rooms:
            self._take_out(socket, room)

    def join(self, socket: Socket, room: str) -> None:
        """Put a socket that is known into a room."""
        if socket.sid not in self.sockets or room in socket.rooms:
            return
        self._put_in(socket, room)
        if isinstance(socket.rooms, set):
            socket.rooms.add(room)
        elif len(socket.rooms) < FEW_ROOMS:
            socket.rooms = (*socket.rooms, room)
        else:
            socket.rooms = {*socket.rooms, room}
        if self.observer is not None:
            self.observer.joined(socket, room)

    def leave(self, socket: Socket, room: str) -> None:
        """Take a socket out of a room."""
        if room not in socket.rooms:
            return
        if isinstance(socket.rooms, set):
            socket.rooms.discard(room)
        else:
            socket.rooms = tuple(other for other in socket.rooms if other != room)
        self._take_out(socket, room)
        if self.observer is not None:
            self.observer.left(socket, room)

    def _put_in(self, socket: Socket, room: str) -> None:
        """Add the socket, or the sink that it has now."""
        table = self._members[socket.client.form]
        members = table.get(room)
        if isinstance(members, Lone) and socket.sid not in members:
            members = table[room] = dict(members)
        if isinstance(members, dict):
            members[socket.sid] = socket.sink
        else:
            table[room] = Lone(socket.sid, socket.sink)

    def _take_out(self, socket: Socket, room: str) -> None:
        table = self._members[socket.client.form]
        members = table.get(room)
        if members is None or socket.sid not in members:
            return
        if isinstance(members, dict) and len(members) > 1:
            del members[socket.sid]
        else:
            del table[room]

    def moved(self, socket: Socket) -> None:
        """The socket has another sink: it was accepted."""
        for room in socket.rooms:
            self._put_in(socket, room)

    def count(self, room: str) -> int:
        """Members of a room."""
        return sum(len(table[room]) for table in self._members.values() if room in table)

    def members(self, room: str | None) -> Iterator[Socket]:
        """The sockets in a room, or, for ``None``, all. A socket's id is the name of a room that it is always in."""
        if room is None:
            yield from list(self.sockets.values())
            return
        found = dict.fromkeys(sid for table in self._members.values() for sid in table.get(room, ()))
        for sid in found | {room: None}:
            if (socket := self.sockets.get(sid)) is not None:
                yield socket

    def send(
        self, outboxes: Outboxes, rooms: Collection[str | None], packet: Encoded, skip: Collection[str] = ()
    ) -> int:
        """Send to all in any of the rooms, once each, and say how many they were. Encoded once for each form."""
        sent = 0
        for form, table in self._members.items():
            if not table and form is not COMMON and self._are_joined(rooms):
                continue  # nearly always: nobody uses another form
            sinks = self.sinks(form, rooms, skip)
            if sinks:
                outboxes.fan_out(sinks, packet(form))
                sent += len(sinks)
        if self.observer is not None and sent:
            self.observer.sent(self.receivers(rooms, skip), packet.arguments)
        return sent

    def sinks(self, form: Form, rooms: Collection[str | None], skip: Collection[str] = ()) -> Collection[Sink]:
        """The sinks of those who use ``form`` and are in any of the rooms, once each, less those in ``skip``."""
        if len(rooms) == 1:
            [room] = rooms
            found = self._sinks(form, room)
        else:
            found = {sid: sink for room in rooms for sid, sink in self._sinks(form, room).items()}
        left: Collection[Sink] = found.values()
        for sid in skip:
            if sid in found:
                left = list(left)
                left.remove(found[sid])  # in C: a comprehension with a condition costs as much as the sending
        return left

    def _sinks(self, form: Form, room: str | None) -> Mapping[str, Sink]:
        if room is None:
            return {sid: socket.sink for sid, socket in self.sockets.items() if socket.client.form is form}
        members = self._members[form].get(room) or {}
        socket = self.sockets.get(room)
        if socket is None or socket.client.form is not form:
            return members
        return {**members, room: socket.sink}  # others may be in a room of that name, and take nothing from it

    def _are_joined(self, rooms: Collection[str | None]) -> bool:
        """Whether only those who have joined are in them: none is the whole namespace, or the id of a socket."""
        for room in rooms:  # noqa: SIM110 - a generator costs as much as the rest, and there is one room mostly
            if room is None or room in self.sockets:
                return False
        return True

    def receivers(self, rooms: Collection[str | None], skip: Collection[str] = ()) -> Iterator[Socket]:
        """The sockets in any of the rooms, once each, less those in ``skip``."""
        seen = set(skip)
        for room in rooms:
            for socket in self.members(room):
                if socket.sid not in seen:
                    seen.add(socket.sid)
                    yield socket


class Encoded(Protocol):
    """An event for many."""

    @property
    def arguments(self) -> list[Any]:
        """Its name, and what comes with it."""
        ...

    def __call__(self, form: Form) -> bytes:
        """Its frames. Raises TypeError for what cannot be encoded."""
        ...


class Packets:
    """An event for many: its frames by parser, made when the first receiver needs them."""

    __slots__ = ("_made", "_namespace", "ack_id", "arguments")

    def __init__(self, namespace: str, arguments: list[Any], ack_id: int | None = None) -> None:
        """``arguments`` begin with the event's name."""
        self._namespace = namespace
        self.arguments = arguments
        self.ack_id = ack_id
        self._made: dict[Codec, bytes] = {}

    def __call__(self, form: Form) -> bytes:
        """The frames. Raises TypeError for what cannot be encoded."""
        codec = form.codec
        made = self._made.get(codec)
        if made is None:
            framed = codec.encode(EVENT, self._namespace, self.ack_id, self.arguments)
            made = self._made[codec] = self._shape(framed, codec)
        return made

    def _shape(self, framed: bytes, _codec: Codec) -> bytes:
        """The frames as the class of the event wants them; as they are, unless it says otherwise."""
        return framed

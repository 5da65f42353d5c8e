"""Rooms: whoever sends to some of them reaches their members once each, and nothing is kept of who has gone."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hub.transport.engineio.outbox import Outboxes
from hub.transport.socketio.codecs import COMMON, FORMS, JSON, MSGPACK, Codec, Form
from hub.transport.socketio.rooms import Packets, Rooms
from hub.transport.socketio.socket import Socket
from tests.support.fake_loop import FakeLoop
from tests.support.local_server import rooms_kept

ROOMS = ("red", "green", "blue", "white", "black", "grey")
MOST = 6
"""Sockets at a time: more find no more, and take longer."""

room_names = st.sampled_from(ROOMS)
indexes = st.integers(0, MOST - 1)


class Sink:
    """Stands in for a session that takes everything. What is written to it was received."""

    def __init__(self) -> None:
        self.outbox: list[bytes] | None = None
        self.received: list[bytes] = []
        self.write: Callable[[bytes], object] | None = self.received.append

    def hold(self, packets: list[bytes]) -> None:
        raise AssertionError("it takes everything")


def a_socket(sid: str, form: Form = COMMON) -> Socket:
    """A socket whose sink is one of ours."""
    socket = Socket(cast("Any", SimpleNamespace(form=form, codec=form.codec)), "/", sid)
    socket.sink = Sink()
    return socket


class RoomsAgainstModel(RuleBasedStateMachine):
    """The rooms of a namespace beside what they should be: for each socket, the set of its rooms."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = FakeLoop()
        self.outboxes = Outboxes(self.loop.loop)
        self.rooms = Rooms("/")
        self.sockets: list[Socket] = []
        self.model: dict[str, set[str]] = {}
        self.gone: list[Socket] = []
        self.number = 0

    def socket(self, index: int) -> Socket | None:
        return self.sockets[index % len(self.sockets)] if self.sockets else None

    @rule(form=st.sampled_from(list(FORMS.values())))
    def add(self, form: Form) -> None:
        if len(self.sockets) < MOST:
            self.number += 1
            socket = a_socket(f"sid{self.number}", form)
            self.rooms.add(socket)
            self.sockets.append(socket)
            self.model[socket.sid] = set()

    @rule(index=indexes, room=room_names)
    def join(self, index: int, room: str) -> None:
        if (socket := self.socket(index)) is not None:
            self.rooms.join(socket, room)
            self.model[socket.sid].add(room)

    @rule(index=indexes, room=room_names)
    def leave(self, index: int, room: str) -> None:
        if (socket := self.socket(index)) is not None:
            self.rooms.leave(socket, room)
            self.model[socket.sid].discard(room)

    @rule(index=indexes)
    def move(self, index: int) -> None:
        """As when a socket is accepted: what it is sent goes elsewhere from now on."""
        if (socket := self.socket(index)) is not None:
            socket.sink = Sink()
            self.rooms.moved(socket)

    @rule(index=indexes)
    def remove(self, index: int) -> None:
        if (socket := self.socket(index)) is not None:
            self.rooms.remove(socket)
            assert set(socket.rooms) == self.model.pop(socket.sid), "what it has left can be told afterwards"
            self.sockets.remove(socket)
            self.gone.append(socket)

    @rule(room=room_names)
    def join_or_leave_too_late(self, room: str) -> None:
        for socket in self.gone:
            self.rooms.join(socket, room)
            self.rooms.leave(socket, room)

    @rule(
        to=st.lists(room_names | st.none() | indexes, max_size=4),
        skip=st.sets(indexes, max_size=2),
    )
    def send(self, to: list[str | int | None], skip: set[int]) -> None:
        """To rooms, to single sockets by their ids, or to everybody, in any mixture."""
        names = [self.sid(target) if isinstance(target, int) else target for target in to]
        skipped = {self.sid(index) for index in skip}
        expected = {
            sid
            for sid, rooms in self.model.items()
            if sid not in skipped and (None in names or sid in names or rooms & set(names))
        }
        for socket in self.sockets:
            cast("Sink", socket.sink).received.clear()
        self.number += 1
        packets = Packets("/", ["news", self.number])
        assert self.rooms.send(self.outboxes, names, packets, skipped) == len(expected)
        self.loop.turn()
        for socket in self.sockets:
            framed = [packets(socket.client.form)] if socket.sid in expected else []
            assert cast("Sink", socket.sink).received == framed

    def sid(self, index: int) -> str:
        socket = self.socket(index)
        return "nobody" if socket is None else socket.sid

    @invariant()
    def it_has_the_members_of_the_model(self) -> None:
        for room in ROOMS:
            members = {sid for sid, rooms in self.model.items() if room in rooms}
            assert {socket.sid for socket in self.rooms.members(room)} == members
            assert self.rooms.count(room) == len(members)
        assert {socket.sid for socket in self.rooms.members(None)} == set(self.model)
        assert rooms_kept(self.rooms) == set().union(*self.model.values())

    @invariant()
    def nothing_is_sent_to_who_has_gone(self) -> None:
        assert all(cast("Sink", socket.sink).outbox is None for socket in self.gone)


TestRooms = RoomsAgainstModel.TestCase
TestRooms.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_an_event_is_encoded_once_for_each_parser_that_somebody_uses() -> None:
    encoded: list[Codec] = []

    class Counted(Packets):
        def _shape(self, framed: bytes, codec: Codec) -> bytes:
            encoded.append(codec)
            return framed

    loop, rooms = FakeLoop(), Rooms("/")
    outboxes = Outboxes(loop.loop)
    for number in range(3):
        rooms.add(a_socket(f"json{number}"))
    rooms.send(outboxes, [None], Counted("/", ["x"]))
    assert encoded == [JSON]
    rooms.add(a_socket("msgpack", FORMS[MSGPACK, True]))
    rooms.send(outboxes, [None], Counted("/", ["x"]))
    assert encoded == [JSON, JSON, MSGPACK]
    rooms.send(outboxes, ["an empty room"], Counted("/", ["x"]))
    assert encoded == [JSON, JSON, MSGPACK]


def test_who_joins_a_room_that_is_named_like_another_socket_takes_nothing_from_it() -> None:
    loop, rooms = FakeLoop(), Rooms("/")
    sockets = [a_socket("first"), a_socket("second", FORMS[JSON, False]), a_socket("third", FORMS[MSGPACK, True])]
    for socket in sockets:
        rooms.add(socket)
    assert list(rooms.members("first")) == [sockets[0]]
    for socket in sockets[1:]:
        rooms.join(socket, "first")
    assert set(rooms.members("first")) == set(sockets)
    assert rooms.send(Outboxes(loop.loop), ["first"], Packets("/", ["private"])) == 3
    loop.turn()
    assert all(len(cast("Sink", socket.sink).received) == 1 for socket in sockets)

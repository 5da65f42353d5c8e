"""A client's membership of one namespace: what the protocol's own server calls a socket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from hub.transport.engineio.outbox import MAX_HELD_BYTES, Sink
from hub.transport.engineio.session import CLOSING, Reason
from hub.transport.engineio.websocket import CloseCode
from hub.transport.socketio.packets import ACK, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT

if TYPE_CHECKING:
    from hub.transport.socketio.client import Client

PENDING: Final = 0
"""Its CONNECT is being looked at."""
CONNECTED: Final = 1
GONE: Final = 2

Answer = Callable[[list[Any]], object]
"""Takes the arguments of an acknowledgement."""


class Lobby:
    """Collects what is sent to a socket before its CONNECT is answered. Implements Sink.

    So CONNECT goes first, a refused client gets nothing of a room that it was put into, and nothing is lost between
    joining a room and the answer; and the loop that writes to a room needs no condition for any of it.
    """

    __slots__ = ("_client", "_size", "outbox", "packets", "write")

    def __init__(self, client: Client) -> None:
        self._client = client
        self._size = 0
        self.outbox: list[bytes] | None = None
        self.write: Callable[[bytes], object] | None = None
        self.packets: list[bytes] = []

    def hold(self, packets: list[bytes]) -> None:
        """Keep packets, within the bound of every session."""
        self.packets += packets
        self._size += sum(map(len, packets))
        if self._size > MAX_HELD_BYTES:
            self._client.session.close(Reason.SLOW_READER, CloseCode.SLOW_READER, drop=True)

    def clear(self) -> None:
        """Keep nothing of what came until now."""
        self.outbox, self.packets, self._size = None, [], 0


class Socket:
    """One socket: its rooms, and how to send to it."""

    __slots__ = ("_answers", "_last_ack_id", "client", "early", "namespace", "owner", "rooms", "sid", "sink", "state")

    def __init__(self, client: Client, namespace: str, sid: str) -> None:
        self.client = client
        self.namespace = namespace
        self.sid = sid
        """Known to others, unlike the session's id."""
        self.state = PENDING
        self.sink: Sink = Lobby(client)
        self.rooms: tuple[str, ...] | set[str] = ()
        """Changed by hub.transport.socketio.rooms alone."""
        self.early: list[tuple[list[Any], int | None]] | None = []
        """Events (and acknowledgement ids) that came before :meth:`begin`; ``None`` after it. There is one at most:
        while it waits, nothing more is read."""
        self.owner: Any = None
        """Whatever the endpoint keeps with it."""
        self._answers: dict[int, Answer] | None = None
        self._last_ack_id = 0

    def send(self, packet: bytes) -> None:
        """Send finished frames; none to a client that has left the namespace, and may have come again."""
        if self.state != GONE:
            self.client.session.engine.outboxes.send(self.sink, packet)

    def emit(self, name: str, *arguments: Any) -> None:
        """Send an event to this socket alone."""
        self.send(self.client.codec.encode(EVENT, self.namespace, None, [name, *arguments]))
        if (observer := self.client.observer) is not None:
            observer.sent((self,), [name, *arguments])

    def acknowledge(self, ack_id: int, *arguments: Any) -> None:
        """Answer an event of this client."""
        self.send(self.client.codec.encode(ACK, self.namespace, ack_id, list(arguments)))

    def expect(self, answer: Answer, ack_id: int | None = None) -> int:
        """Have ``answer`` called with the acknowledgement of an event that is about to be sent, and give its id."""
        if self._answers is None:
            self._answers = {}
        if ack_id is None:
            self._last_ack_id += 1
            ack_id = self._last_ack_id
        self._answers[ack_id] = answer
        return ack_id

    def forget(self, ack_id: int) -> None:
        """No acknowledgement is expected any more."""
        if self._answers is not None:
            self._answers.pop(ack_id, None)

    def answered(self, ack_id: int, arguments: list[Any]) -> None:
        """An acknowledgement has come. One that nobody expects is passed over."""
        answer = self._answers.pop(ack_id, None) if self._answers else None
        if answer is not None:
            answer(arguments)

    # ---------------------------------------------------------------- the answer to CONNECT, and the end

    def accept(self, answer: Any = None, first: Sequence[bytes] = ()) -> bool:
        """Answer CONNECT; finished frames that are to come ``first`` follow, and then what waited in the lobby.

        ``answer`` is the payload, if it is to say more than the socket's id. False if the client has gone meanwhile.
        """
        session, lobby = self.client.session, self.sink
        if self.state != PENDING or session.state >= CLOSING or not isinstance(lobby, Lobby):
            return False
        self.state = CONNECTED
        self.client.accepted(self, session)
        self.send(self.client.codec.encode(CONNECT, self.namespace, None, answer or {"sid": self.sid}))
        for packet in [*first, *lobby.packets, *(lobby.outbox or ())]:
            self.send(packet)
        lobby.clear()
        return True

    def forget_waiting(self) -> None:
        """Drop what was sent before the answer to CONNECT."""
        if isinstance(self.sink, Lobby):
            self.sink.clear()

    def begin(self) -> None:
        """Have events served from now on, those that came early first. Call it once, after :meth:`accept`."""
        early, self.early = self.early, None
        if early:
            for arguments, ack_id in early:
                self.client.event(self, arguments, ack_id)
            self.client.release()

    def refuse(self, error: Any) -> None:
        """Answer CONNECT with CONNECT_ERROR, and forget the socket. Nothing, if the client has gone meanwhile."""
        if self.state == PENDING:
            self.client.left(self)
            self.client.session.send(self.client.codec.encode(CONNECT_ERROR, self.namespace, None, error))

    def dismiss(self) -> None:
        """Send DISCONNECT, which ends an unmodified client's reconnecting. Whoever calls this tells the endpoint."""
        self.client.session.send(self.client.codec.encode(DISCONNECT, self.namespace))
        self.client.left(self)

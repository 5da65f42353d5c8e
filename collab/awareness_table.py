"""Who is where in one document, over all nodes, and who said so. Rules only, no I/O.

Clients repeat what they heard of others, and the clients of y-websocket send every such repetition to their server. So
a state that is not newer than the known one is nothing, and the same clock once more counts only from whom it is of:
from the node that has the client, or as the first word of a connection, which is about itself.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from collab.awareness import GONE, MAX_BYTES, State, TooMuch

MAX_DOCUMENT_BYTES = 1 << 20
"""Of all states of a document: each joiner is sent all of them. A cursor with a name and a colour takes 200 bytes, so
that is of 3000 people."""
SILENT_S = 30.0
"""A state that is not renewed for so long is taken away, as y-protocols does it; clients renew every 15 s."""
STATE_OVERHEAD = 128
"""What a state counts for beside its JSON: it takes 300 bytes of memory, and who says nothing takes 2 µs to tell of."""
MAX_GONE = 1000
"""Clients that left whose clocks are remembered for SILENT_S, so that a late repetition does not bring them back."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks for a client: a connection of this node, or another node."""

    connection: str = ""
    node: str = ""


@dataclass(slots=True)
class Entry:
    """The state of a client, who speaks for it, and when it was last heard of, in seconds."""

    state: State
    speaker: Speaker
    heard_at: float

    @property
    def size(self) -> int:
        """What it counts for."""
        return len(self.state.json) + STATE_OVERHEAD


class AwarenessTable:
    """The states of one document."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._gone: dict[int, tuple[int, float]] = {}
        """Client → its last clock, and when it went."""
        self._spoke: set[str] = set()
        """The connections that have said something."""
        self._size = 0

    def take(self, connection: str, states: Collection[State], now: float) -> list[State]:
        """Remember what a connection of this node says. Returns what others are to be told of it.

        Raises TooMuch if that is more than MAX_BYTES of one connection, or MAX_DOCUMENT_BYTES of all.
        """
        speaker = Speaker(connection=connection)
        of_itself = len(states) == 1 and connection not in self._spoke
        news = [state for state in states if self._is_news(state, speaker, own=of_itself)]
        self._check_room(speaker, news)
        self._spoke.add(connection)
        for state in news:
            self._put(state, speaker, now)
        return news

    def hear(self, node: str, states: Iterable[State], now: float) -> list[State]:
        """Remember what another node says of its clients. Returns what the clients here are to be told of it.

        What there is no room for is left out.
        """
        speaker, told = Speaker(node=node), []
        for state in states:
            if not self._is_news(state, speaker, own=True) or self._is_full(state):
                continue
            before = self._entries.get(state.client)
            if before is None or before.state != state:
                told.append(state)
            self._put(state, speaker, now)
        return told

    def _is_full(self, state: State) -> bool:
        return self._size + len(state.json) + STATE_OVERHEAD > MAX_DOCUMENT_BYTES

    def _is_news(self, state: State, speaker: Speaker, *, own: bool) -> bool:
        entry = self._entries.get(state.client)
        if entry is not None:
            if state.clock != entry.state.clock:
                return state.clock > entry.state.clock
            return entry.speaker == speaker if state.json == GONE else own and entry.speaker != speaker
        if state.json == GONE:
            return False
        last = self._gone.get(state.client)
        return last is None or state.clock > last[0] or (own and state.clock == last[0])

    def _check_room(self, speaker: Speaker, news: Iterable[State]) -> None:
        after = {client: entry.size for client, entry in self._entries.items() if entry.speaker == speaker}
        growth = 0
        for state in news:
            size = 0 if state.json == GONE else len(state.json) + STATE_OVERHEAD
            entry = self._entries.get(state.client)
            growth += size - (0 if entry is None else entry.size)
            after[state.client] = size
        if sum(after.values()) > MAX_BYTES:
            raise TooMuch(f"states of more than {MAX_BYTES} bytes")
        if growth > 0 and self._size + growth > MAX_DOCUMENT_BYTES:
            raise TooMuch(f"states of more than {MAX_DOCUMENT_BYTES} bytes in the document")

    def _put(self, state: State, speaker: Speaker, now: float) -> None:
        if state.json == GONE:
            self._drop(state.client, now)
            self._gone[state.client] = state.clock, now
            return
        before = self._entries.get(state.client)
        self._gone.pop(state.client, None)
        entry = self._entries[state.client] = Entry(state, speaker, now)
        self._size += entry.size - (0 if before is None else before.size)

    def _drop(self, client: int, now: float) -> State | None:
        entry = self._entries.pop(client, None)
        if entry is None:
            return None
        self._size -= entry.size
        self._gone.pop(client, None)
        self._gone[client] = entry.state.clock, now
        if len(self._gone) > MAX_GONE:
            del self._gone[next(iter(self._gone))]
        return entry.state.gone

    def remove(self, connection: str, now: float) -> list[State]:
        """A connection of this node has gone. Returns what others are to be told."""
        self._spoke.discard(connection)
        return self._remove({Speaker(connection=connection)}, now)

    def remove_nodes(self, nodes: Iterable[str], now: float) -> list[State]:
        """Other nodes are gone. Returns what the clients here are to be told."""
        return self._remove({Speaker(node=node) for node in nodes}, now)

    def _remove(self, speakers: set[Speaker], now: float) -> list[State]:
        clients = [client for client, entry in self._entries.items() if entry.speaker in speakers]
        return [gone for client in clients if (gone := self._drop(client, now)) is not None]

    def expire(self, now: float) -> list[State]:
        """Take away what was silent for SILENT_S. Returns what the clients here are to be told."""
        self._gone = {client: last for client, last in self._gone.items() if now - last[1] < SILENT_S}
        silent = [client for client, entry in self._entries.items() if now - entry.heard_at >= SILENT_S]
        return [gone for client in silent if (gone := self._drop(client, now)) is not None]

    def present(self) -> list[State]:
        """Everybody."""
        return [entry.state for entry in self._entries.values()]

    def own(self) -> list[State]:
        """Those whose connections are here."""
        return [entry.state for entry in self._entries.values() if not entry.speaker.node]

    def nodes(self) -> set[str]:
        """Other nodes that somebody is at."""
        return {entry.speaker.node for entry in self._entries.values()} - {""}

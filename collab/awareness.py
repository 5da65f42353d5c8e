"""Who is where in a document: y-protocols awareness, of which the hub reads only ids, clocks and sizes."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from collab.decoding import MAX_CLIENT_ID, BadUpdate, Reader, uint

MAX_BYTES = 64 << 10
"""One awareness update, and what one connection may have standing in a document."""
GONE = b"null"
"""The state of a client that has left."""


@dataclass(frozen=True, slots=True)
class State:
    """One client's state: JSON, and a clock that says which of two is newer."""

    client: int
    clock: int
    json: bytes


def decode(data: bytes) -> list[State]:
    """Read an awareness update. Raises BadUpdate, and nothing else."""
    if len(data) > MAX_BYTES:
        raise BadUpdate(f"more than {MAX_BYTES} bytes")
    reader = Reader(data)
    try:
        states = [State(reader.uint(MAX_CLIENT_ID), reader.uint(), reader.raw()) for _ in range(reader.count(3))]
        for state in states:
            msgspec.json.decode(state.json)
    except IndexError:
        raise BadUpdate("truncated") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BadUpdate("a state is not JSON") from None
    reader.end()
    return states


def encode(states: Iterable[State]) -> bytes:
    """The inverse of :func:`decode`."""
    parts = [
        part for state in states for part in (uint(state.client), uint(state.clock), uint(len(state.json)), state.json)
    ]
    return uint(len(parts) // 4) + b"".join(parts)


class Awareness:
    """The states of one document that connections of this node have announced."""

    def __init__(self) -> None:
        self._states: dict[int, State] = {}
        self._speaker: dict[int, str] = {}

    def take(self, connection_id: str, states: Iterable[State]) -> None:
        """Remember what a connection announces. Raises BadUpdate if that is more than MAX_BYTES in all.

        Clients repeat what they heard of others: an id belongs to the connection that named it first.
        """
        fresh = {state.client: state for state in states if self._newer(state)}
        mine = {client: state for client, state in self._states.items() if self._speaker[client] == connection_id}
        own = {
            client: state
            for client, state in fresh.items()
            if self._speaker.get(client, connection_id) == connection_id
        }
        if sum(len(state.json) + 16 for state in (mine | own).values()) > MAX_BYTES:
            raise BadUpdate(f"states of more than {MAX_BYTES} bytes")
        for client, state in fresh.items():
            if state.json == GONE:
                self._states.pop(client, None)
                self._speaker.pop(client, None)
            else:
                self._states[client] = state
                self._speaker.setdefault(client, connection_id)

    def remove(self, connection_id: str) -> bytes | None:
        """Forget what a connection spoke for; the update that tells the others so, if there is anything to tell."""
        clients = [client for client, speaker in self._speaker.items() if speaker == connection_id]
        for client in clients:
            del self._speaker[client]
        gone = [self._states.pop(client) for client in clients]
        return encode(State(state.client, state.clock + 1, GONE) for state in gone) if gone else None

    def present(self) -> bytes | None:
        """The update with everybody, if there is anybody."""
        return encode(self._states.values()) if self._states else None

    def _newer(self, state: State) -> bool:
        known = self._states.get(state.client)
        return known is None or state.clock > known.clock or (state.clock == known.clock and state.json == GONE)

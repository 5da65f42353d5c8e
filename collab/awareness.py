"""The bytes of y-protocols awareness, of which the hub reads only ids, clocks and sizes."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from collab.decoding import MAX_CLIENT_ID, BadUpdate, Reader, uint

MAX_BYTES = 64 << 10
"""One awareness update, and what one connection may have standing in a document."""
GONE = b"null"
"""The state of a client that has left."""
NOTHING = b"\0"
"""The update that tells of nobody."""


@dataclass(frozen=True, slots=True)
class State:
    """One client's state: JSON, and a clock that says which of two is newer."""

    client: int
    clock: int
    json: bytes

    @property
    def gone(self) -> "State":
        """The state that takes this one away.

        With the same clock, as y-protocols removes those who left: a client that comes back goes on counting from it.
        """
        return State(self.client, self.clock, GONE)


def decode(data: bytes, *, limit: int | None = MAX_BYTES) -> list[State]:
    """Read an awareness update of at most ``limit`` bytes. Raises BadUpdate, and nothing else."""
    if limit is not None and len(data) > limit:
        raise BadUpdate(f"more than {limit} bytes")
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

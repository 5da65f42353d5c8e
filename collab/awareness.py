"""The bytes of y-protocols awareness, of which the hub reads only ids, clocks and sizes."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from collab.decoding import MAX_CLIENT_ID, BadUpdate, Reader, uint

MAX_BYTES = 64 << 10
"""One awareness update, and what one connection may have standing in a document."""
MAX_STATES = 1000
"""In one update: reading them takes 2 ms. A client of y-websocket repeats all that it was told when it came."""
GONE = b"null"
"""The state of a client that has left."""
NOTHING = b"\0"
"""The update that tells of nobody."""


class TooMuch(BadUpdate):
    """More than a client may say, or than there is room for."""


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


def decode(data: bytes, *, limited: bool = True) -> list[State]:
    """Read an awareness update of a client, or one of a node, which is not ``limited``.

    Raises TooMuch and BadUpdate, and nothing else.
    """
    if limited and len(data) > MAX_BYTES:
        raise TooMuch(f"more than {MAX_BYTES} bytes")
    reader = Reader(data)
    try:
        count = reader.count(3)
        if limited and count > MAX_STATES:
            raise TooMuch(f"more than {MAX_STATES} states")
        states = [State(reader.uint(MAX_CLIENT_ID), reader.uint(), reader.raw()) for _ in range(count)]
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

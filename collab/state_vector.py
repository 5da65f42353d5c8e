"""State vectors: how much of each client's work a document has. Client id → clock, the number of units known."""

from collections.abc import Mapping

from collab.decoding import MAX_CLIENT_ID, BadUpdate, Reader, uint

Clocks = dict[int, int]
EMPTY = b"\0"
"""The state vector of a document that has nothing."""


def decode(data: bytes) -> Clocks:
    """Client id → clock. Raises BadUpdate."""
    reader = Reader(data)
    try:
        clocks = {reader.uint(MAX_CLIENT_ID): reader.uint() for _ in range(reader.count(2))}
    except IndexError:
        raise BadUpdate("truncated") from None
    reader.end()
    return clocks


def encode(clocks: Mapping[int, int]) -> bytes:
    """The inverse of :func:`decode`."""
    parts = [uint(len(clocks))]
    for client, clock in clocks.items():
        parts += uint(client), uint(clock)
    return b"".join(parts)

"""Reads an update for a document to take in: whole if it is small, in pieces if it is large."""

from collections.abc import Iterator

from collab.decoding import MAX_CLIENT_ID
from collab.parsed import Update
from collab.pieces import Deletion, Part, pieces
from collab.update import LARGE_BYTES, UpdateReader, parse


def prepare(data: bytes) -> Update:
    """Parse an update and, if it has many bytes, cut it: that may take a second, and is for a thread then."""
    update = parse(data)
    if len(data) > LARGE_BYTES and not update.small:
        update.pieces = list(cut(data))
    return update


def cut(data: bytes) -> Iterator[bytes]:
    """A valid update in pieces: see collab.pieces. Raises BadUpdate if it deletes too much."""
    reader = _PartReader(data, len(data), len(data))
    reader.update()
    return pieces(reader.parts, reader.deletions)


class _PartReader(UpdateReader):
    """Reads an update once more, to cut it."""

    __slots__ = ("deletions", "parts")

    def __init__(self, data: bytes, most_clients: int, most_parts: int) -> None:
        super().__init__(data, most_clients, most_parts)
        self.parts: list[Part] = []
        self.deletions: list[Deletion] = []

    def struct(self, found: Update, client: int, clock: int) -> int:
        start, first = self.at, len(found.needs)
        length = super().struct(found, client, clock)
        self.parts.append(Part(client, clock, clock + length, found.needs[first:], self.data[start : self.at]))
        return length

    def delete_set(self, found: Update) -> None:
        for _ in range(self.count(2)):
            client = self.uint(MAX_CLIENT_ID)
            for _ in range(self.count(2)):
                self.deletions.append(Deletion(client, self.uint(), self.uint()))

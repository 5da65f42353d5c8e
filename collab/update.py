"""The structure of a Yjs v1 update, read without applying it.

What is malformed, or dishonest about its size, is refused here. Of the rest it is known what it brings and what it
builds on, so that Yrs never sees an update out of causal order: it loses content then (122 of 300 random documents).
The format is that of Yjs 13 (`encodeStateAsUpdate`), without what only Yrs has (weak links, moves).
"""

from collections.abc import Callable
from typing import Final

from collab.decoding import MAX_CLIENT_ID, MAX_CLOCK, BadUpdate, Reader
from collab.nesting import Item, levels
from collab.parsed import Update

MAX_BYTES: Final = 2 << 20
"""One update, in bytes: a large paste; a whole document of 260,000 edits is 1.5 MB."""
LARGE_BYTES: Final = 8 << 10
"""Updates of more bytes are read by a thread: these take 5 ms at most."""
MAX_CLIENTS: Final = 20_000
"""Clients that one update may name: the first sync of an old document names many."""
MAX_PARTS: Final = 100_000
"""Structs and deleted ranges in one update. To read them takes 0.4 s of a thread, and to apply them, in pieces, longer.
The paper of 260,000 edits has 10,000; 20,000 paragraphs have 80,000."""
MAX_DEPTH: Final = 64
"""Nesting of values: Yrs decodes them by recursion, and 26,000 levels (52 KB) overflow its stack."""

GC, DELETED, JSON, BINARY, STRING, EMBED, FORMAT, TYPE, ANY, DOC, SKIP = range(11)
CONTENT_MASK, HAS_ORIGIN, HAS_RIGHT_ORIGIN, HAS_KEY = 31, 128, 64, 32
NAMED_TYPES = (3, 5)
"""Shared types that carry a name: XML element and XML hook."""
LAST_TYPE = 6


def parse(data: bytes) -> Update:
    """Read an update. Raises BadUpdate, and nothing else, whatever the bytes are. About 3 µs for a typed letter."""
    if len(data) > MAX_BYTES:
        raise BadUpdate(f"more than {MAX_BYTES} bytes")
    return _read(data, MAX_CLIENTS, MAX_PARTS)


def parse_document(state: bytes) -> Update:
    """Read a whole document of any size, as Yrs writes it. Raises BadUpdate. About 10 ms for each MB."""
    return _read(state, len(state), len(state))


def _read(data: bytes, most_clients: int, most_parts: int) -> Update:
    reader = UpdateReader(data, most_clients, most_parts)
    try:
        update = reader.update()
        reader.end()
        if reader.types == 1:
            update.levels = 1
        elif reader.types:
            places = _PlaceReader(data, most_clients, most_parts)
            places.update()
            update.levels = levels(places.items)
    except IndexError:
        raise BadUpdate("truncated") from None
    except UnicodeDecodeError:
        raise BadUpdate("a string is not UTF-8") from None
    return update


class UpdateReader(Reader):
    """The grammar of an update."""

    __slots__ = ("most_clients", "most_parts", "types", "writer")

    def __init__(self, data: bytes, most_clients: int, most_parts: int) -> None:
        super().__init__(data)
        self.most_clients = most_clients
        self.most_parts = most_parts
        self.types = 0
        """Shared types that were read."""
        self.writer = b""
        """The id of the client whose structs are read, as it is written: most references are to the same one, and to
        compare bytes takes a quarter of the time that reading them takes."""

    def update(self) -> Update:
        """The whole of it."""
        found = Update()
        clients = self.count(3)
        if clients > self.most_clients:
            raise BadUpdate(f"more than {self.most_clients} clients")
        for _ in range(clients):
            structs, start = self.count(2), self.at
            client = self.uint(MAX_CLIENT_ID)
            self.writer = self.data[start : self.at]
            clock = first = self.uint()
            found.structs += structs
            if found.structs > self.most_parts:
                raise BadUpdate(f"more than {self.most_parts} parts")
            for _ in range(structs):
                length = self.struct(found, client, clock)
                clock += length
                if length < 1 or clock > MAX_CLOCK:
                    raise BadUpdate("a clock is out of range")
            found.brings.append((client, first, clock))
        if clients > 1 and len({client for client, _, _ in found.brings}) < clients:
            raise BadUpdate("a client comes twice")
        self.delete_set(found)
        return found

    def struct(self, found: Update, client: int, clock: int) -> int:
        """One struct; returns its length in clock units."""
        info = self.byte()
        content = info & CONTENT_MASK
        if content == GC:
            return self.uint()
        if content == SKIP:
            found.skips = True
            return self.uint()
        if info & HAS_ORIGIN:
            self.reference(found, client, clock)
        if info & HAS_RIGHT_ORIGIN:
            self.reference(found, client, clock)
        if not info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN):
            self.parent(found, client, clock)
            if info & HAS_KEY:
                self.units()
        if content == STRING:  # first, since it is nearly always this
            return self.units()
        read = CONTENT.get(content)
        if read is None:
            raise BadUpdate(f"content of kind {content}")
        return read(self)

    def reference(self, found: Update, client: int, clock: int) -> None:
        """The id of another item. One of the same client must be older, or Yrs would wait for the item itself."""
        if self.data.startswith(self.writer, self.at):
            needed = client
            self.at += len(self.writer)
        else:
            needed = self.uint(MAX_CLIENT_ID)
        at = self.uint()
        if needed == client and at >= clock:
            raise BadUpdate("an item refers to itself or to a later one")
        found.needs.append((needed, at))

    def parent(self, found: Update, client: int, clock: int) -> None:
        """Where an item without neighbours lies."""
        by_name = self.uint()
        if by_name == 1:
            self.units()
        elif by_name == 0:
            self.reference(found, client, clock)
        else:
            raise BadUpdate("a parent is neither named nor referred to")

    def deleted(self) -> int:
        """Content that is gone. As of all contents, its length in clock units is returned."""
        return self.uint()

    def json_values(self) -> int:
        """Texts of JSON."""
        number = self.count(1)
        for _ in range(number):
            self.json()
        return number

    def any_values(self) -> int:
        """Values."""
        number = self.count(1)
        for _ in range(number):
            self.any(0)
        return number

    def binary(self) -> int:
        """A byte string."""
        self.raw()
        return 1

    def embed(self) -> int:
        """A picture or the like in a text."""
        self.json()
        return 1

    def format(self) -> int:
        """Where bold or the like begins or ends."""
        self.units()
        self.json()
        return 1

    def shared_type(self) -> int:
        """A type that others are put into."""
        kind = self.uint()
        if kind > LAST_TYPE:
            raise BadUpdate(f"shared type {kind}")
        if kind in NAMED_TYPES:
            self.units()
        self.types += 1
        return 1

    def subdocument(self) -> int:
        """A document within, by its id."""
        self.units()
        self.any(0)
        return 1

    def json(self) -> None:
        """A JSON text: only its nesting is looked at, and braces in strings count, which refuses nothing honest."""
        text = self.raw()
        text.decode()
        if text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
            return
        depth = 0
        for character in text:
            if character in b"[{":
                depth += 1
                if depth > MAX_DEPTH:
                    raise BadUpdate("values are nested too deep")
            elif character in b"]}":
                depth -= 1

    def any(self, depth: int) -> None:
        """A value in lib0's own encoding."""
        if depth > MAX_DEPTH:
            raise BadUpdate("values are nested too deep")
        tag = self.byte()
        if tag == 119:  # string
            self.units()
        elif tag == 125:  # integer
            while self.byte() > 127:
                pass
        elif tag in (122, 123):  # bigint, double
            self.skip(8)
        elif tag == 124:  # float
            self.skip(4)
        elif tag == 118:  # object
            for _ in range(self.count(2)):
                self.units()
                self.any(depth + 1)
        elif tag == 117:  # array
            for _ in range(self.count(1)):
                self.any(depth + 1)
        elif tag == 116:  # bytes
            self.raw()
        elif tag not in (120, 121, 126, 127):  # true, false, null, undefined
            raise BadUpdate(f"a value of kind {tag}")

    def delete_set(self, found: Update) -> None:
        """The ranges that are deleted."""
        for _ in range(self.count(2)):
            client = self.uint(MAX_CLIENT_ID)
            ranges, end = self.count(2), 0
            found.ranges += ranges
            if found.structs + found.ranges > self.most_parts:
                raise BadUpdate(f"more than {self.most_parts} parts")
            for _ in range(ranges):
                first, length = self.uint(), self.uint()
                end = max(end, first + length)
                found.deleted += length
            if end:
                found.deletes.append((client, end))


class _PlaceReader(UpdateReader):
    """Reads an update once more, for where each item lies: for the few that create several types."""

    __slots__ = ("items",)

    def __init__(self, data: bytes, most_clients: int, most_parts: int) -> None:
        super().__init__(data, most_clients, most_parts)
        self.items: list[Item] = []

    def struct(self, found: Update, client: int, clock: int) -> int:
        info = self.data[self.at]
        first = len(found.needs)
        types = self.types
        length = super().struct(found, client, clock)
        reference = found.needs[first] if len(found.needs) > first else None
        inherits = bool(info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN))
        self.items.append(Item(client, clock, clock + length, reference, inherits, self.types > types))
        return length


CONTENT: dict[int, Callable[[UpdateReader], int]] = {
    DELETED: UpdateReader.deleted,
    JSON: UpdateReader.json_values,
    BINARY: UpdateReader.binary,
    EMBED: UpdateReader.embed,
    FORMAT: UpdateReader.format,
    TYPE: UpdateReader.shared_type,
    ANY: UpdateReader.any_values,
    DOC: UpdateReader.subdocument,
}

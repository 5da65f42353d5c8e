"""A Yjs update as a list of its parts, whichever encoding it has; and those parts as an update v1.

For what has to look into an update: conversion between encodings, and finding out what the roots of a document are.
collab.update, which only checks, is several times as fast.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from collab.decoding import MAX_CLIENT_ID, MAX_CLOCK, BadUpdate, Reader, uint
from collab.formats import values
from collab.update import (
    ANY,
    BINARY,
    CONTENT_MASK,
    DELETED,
    DOC,
    EMBED,
    FORMAT,
    GC,
    HAS_KEY,
    HAS_ORIGIN,
    HAS_RIGHT_ORIGIN,
    JSON,
    LAST_TYPE,
    NAMED_TYPES,
    SKIP,
    STRING,
    TYPE,
)

Id = tuple[int, int]
"""Client and clock."""


@dataclass(frozen=True, slots=True)
class Struct:
    """An item, or a range that is garbage or left out."""

    kind: int
    """Of its content, as collab.update numbers them."""
    length: int
    """In units of the clock."""
    origin: Id | None = None
    right_origin: Id | None = None
    parent: str | Id | None = None
    """The name of a root or the id of an item; ``None`` if a neighbour says where it is."""
    key: str | None = None
    """In a map, where the struct says so itself."""
    keyed: bool = False
    """Whether it is in a map."""
    content: Any = None
    """A string, a list of encoded values, bytes … by the kind."""


@dataclass(frozen=True, slots=True)
class Structs:
    """What an update has of one client, from one clock on."""

    client: int
    clock: int
    structs: list[Struct]


@dataclass(frozen=True, slots=True)
class Parts:
    """An update."""

    clients: list[Structs]
    deletes: list[tuple[int, list[tuple[int, int]]]]
    """(client, [(clock, length)])."""


def items(parts: Parts) -> Iterator[tuple[Id, Struct]]:
    """Each struct with its id."""
    for each in parts.clients:
        clock = each.clock
        for struct in each.structs:
            yield (each.client, clock), struct
            clock += struct.length


def read_v1(data: bytes) -> Parts:
    """The parts of an update v1. Raises BadUpdate, and nothing else."""
    reader = V1Reader(data)
    try:
        parts = reader.parts()
    except IndexError:
        raise BadUpdate("truncated") from None
    except UnicodeDecodeError:
        raise BadUpdate("a string is not UTF-8") from None
    reader.end()
    return parts


class V1Reader(Reader):
    """The grammar of an update, with the primitives of v1."""

    __slots__ = ()

    def parts(self) -> Parts:
        """The whole update."""
        clients = []
        for _ in range(self.count(3)):
            number = self.count(1)
            client, clock = self.client(), self.uint()
            clients.append(Structs(client, clock, [self.struct() for _ in range(number)]))
        return Parts(clients, self.deletes())

    def struct(self) -> Struct:
        """One struct."""
        info = self.info()
        kind = info & CONTENT_MASK
        if kind == GC:
            return Struct(kind, self.length())
        if kind == SKIP:
            return Struct(kind, self.uint())
        origin = self.left_id() if info & HAS_ORIGIN else None
        right = self.right_id() if info & HAS_RIGHT_ORIGIN else None
        parent: str | Id | None = None
        key = None
        if origin is None and right is None:
            parent = self.string() if self.by_name() else self.left_id()
            key = self.string() if info & HAS_KEY else None
        read = READ.get(kind)
        if read is None:
            raise BadUpdate(f"content of kind {kind}")
        length, content = read(self)
        if not 1 <= length <= MAX_CLOCK:
            raise BadUpdate("a clock is out of range")
        return Struct(kind, length, origin, right, parent, key, bool(info & HAS_KEY), content)

    def deletes(self) -> list[tuple[int, list[tuple[int, int]]]]:
        """The set of what is deleted, which is not among the structs."""
        found = []
        for _ in range(self.count(2)):
            client = self.uint(MAX_CLIENT_ID)
            found.append((client, self.ranges(self.count(2))))
        return found

    # What the encodings have in common

    def deleted(self) -> tuple[int, None]:
        """Content that is gone."""
        return self.length(), None

    def json_texts(self) -> tuple[int, list[str]]:
        """JSON values, as old clients wrote them."""
        number = self.length()
        if number > self.size:
            raise BadUpdate("a count exceeds the bytes that follow")
        return number, [self.string() for _ in range(number)]

    def any_values(self) -> tuple[int, list[bytes]]:
        """Values in lib0's encoding, each as its bytes."""
        number = self.length()
        if number > self.size:
            raise BadUpdate("a count exceeds the bytes that follow")
        return number, [self.encoded() for _ in range(number)]

    def binary(self) -> tuple[int, bytes]:
        """Bytes."""
        return 1, self.raw()

    def text(self) -> tuple[int, str]:
        """A string; its length counts UTF-16 units."""
        text = self.string()
        return values.units(text), text

    def embed(self) -> tuple[int, Any]:
        """A value in a text."""
        return 1, self.json()

    def format(self) -> tuple[int, tuple[str, Any]]:
        """A mark in a text: its name, and its value from here on."""
        return 1, (self.mark(), self.json())

    def shared_type(self) -> tuple[int, tuple[int, str | None]]:
        """A shared type, and its name if it has one."""
        kind = self.type_ref()
        if kind > LAST_TYPE:
            raise BadUpdate(f"shared type {kind}")
        return 1, (kind, self.mark() if kind in NAMED_TYPES else None)

    def subdocument(self) -> tuple[int, tuple[str, bytes]]:
        """Another document, and its options."""
        return 1, (self.string(), self.encoded())

    def encoded(self) -> bytes:
        """A value in lib0's encoding, as its bytes."""
        start = self.at
        values.skip(self)
        return self.data[start : self.at]

    # The primitives of v1

    def info(self) -> int:
        """The byte that says what follows."""
        return self.byte()

    def client(self) -> int:
        """A client's id."""
        return self.uint(MAX_CLIENT_ID)

    def left_id(self) -> Id:
        """The id of an item."""
        return self.uint(MAX_CLIENT_ID), self.uint()

    def right_id(self) -> Id:
        """The same."""
        return self.left_id()

    def by_name(self) -> bool:
        """Whether a parent is named."""
        return self.uint() == 1

    def string(self) -> str:
        """A string."""
        return self.raw().decode()

    def length(self) -> int:
        """A length of content."""
        return self.uint()

    def mark(self) -> str:
        """The name of a mark or an element."""
        return self.string()

    def type_ref(self) -> int:
        """The number of a shared type."""
        return self.uint()

    def json(self) -> Any:
        """A JSON value."""
        return values.from_json(self.string())

    def ranges(self, number: int) -> list[tuple[int, int]]:
        """So many (clock, length)."""
        return [(self.uint(), self.uint()) for _ in range(number)]


READ: dict[int, Callable[[V1Reader], tuple[int, Any]]] = {
    DELETED: V1Reader.deleted,
    JSON: V1Reader.json_texts,
    BINARY: V1Reader.binary,
    STRING: V1Reader.text,
    EMBED: V1Reader.embed,
    FORMAT: V1Reader.format,
    TYPE: V1Reader.shared_type,
    ANY: V1Reader.any_values,
    DOC: V1Reader.subdocument,
}


class V1Writer:
    """Writes parts as an update v1; :mod:`collab.formats.v2` has the primitives of v2 instead."""

    def __init__(self) -> None:
        self.rest = bytearray()

    def write(self, parts: Parts) -> bytes:
        """The update."""
        self.number(len(parts.clients))
        for each in parts.clients:
            self.number(len(each.structs))
            self.client(each.client)
            self.number(each.clock)
            for struct in each.structs:
                self.struct(struct)
        self.number(len(parts.deletes))
        for client, ranges in parts.deletes:
            self.number(client)
            self.number(len(ranges))
            self.ranges(ranges)
        return self.finish()

    def struct(self, struct: Struct) -> None:
        """One struct."""
        placed = struct.origin is not None or struct.right_origin is not None
        self.info(
            struct.kind
            | (HAS_ORIGIN if struct.origin is not None else 0)
            | (HAS_RIGHT_ORIGIN if struct.right_origin is not None else 0)
            | (HAS_KEY if struct.keyed else 0)
        )
        if struct.kind == GC:
            self.length(struct.length)
            return
        if struct.kind == SKIP:
            self.number(struct.length)
            return
        if struct.origin is not None:
            self.left_id(struct.origin)
        if struct.right_origin is not None:
            self.right_id(struct.right_origin)
        if not placed:
            self.by_name(isinstance(struct.parent, str))
            if isinstance(struct.parent, str):
                self.string(struct.parent)
            elif struct.parent is not None:
                self.left_id(struct.parent)
            if struct.key is not None:
                self.string(struct.key)
        self.content(struct)

    def content(self, struct: Struct) -> None:
        """What the struct has."""
        match struct.kind, struct.content:
            case ((0 | 1), _):
                self.length(struct.length)
            case 2, texts:
                self.length(len(texts))
                for text in texts:
                    self.string(text)
            case 3, data:
                self.number(len(data))
                self.rest += data
            case 4, text:
                self.string(text)
            case 5, value:
                self.json(value)
            case 6, (name, value):
                self.mark(name)
                self.json(value)
            case 7, (kind, name):
                self.type_ref(kind)
                if name is not None:
                    self.mark(name)
            case 8, encoded:
                self.length(len(encoded))
                for value in encoded:
                    self.rest += value
            case 9, (guid, options):
                self.string(guid)
                self.rest += options

    def finish(self) -> bytes:
        """All that was written."""
        return bytes(self.rest)

    def number(self, value: int) -> None:
        """A number that has no column of its own in any encoding."""
        self.rest += uint(value)

    def info(self, value: int) -> None:
        """See V1Reader, here and below."""
        self.rest.append(value)

    def client(self, value: int) -> None:  # noqa: D102
        self.number(value)

    def left_id(self, value: Id) -> None:  # noqa: D102
        self.number(value[0])
        self.number(value[1])

    def right_id(self, value: Id) -> None:  # noqa: D102
        self.left_id(value)

    def by_name(self, value: bool) -> None:  # noqa: D102
        self.number(int(value))

    def string(self, value: str) -> None:  # noqa: D102
        data = value.encode()
        self.number(len(data))
        self.rest += data

    def length(self, value: int) -> None:  # noqa: D102
        self.number(value)

    def mark(self, value: str) -> None:  # noqa: D102
        self.string(value)

    def type_ref(self, value: int) -> None:  # noqa: D102
        self.number(value)

    def json(self, value: Any) -> None:  # noqa: D102
        self.string(values.to_json(value))

    def ranges(self, value: list[tuple[int, int]]) -> None:  # noqa: D102
        for clock, length in value:
            self.number(clock)
            self.number(length)


def write_v1(parts: Parts) -> bytes:
    """An update v1."""
    return V1Writer().write(parts)

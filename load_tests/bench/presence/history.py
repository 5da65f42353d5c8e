"""What happened to people and their watchers while nodes and Redis were broken, as the checker reads it.

Times are milliseconds of CLOCK_MONOTONIC. All records are written by one process, in the order in which it saw things.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from load_tests.bench.cluster.history import Record

Person = int
Watcher = int

Why = Literal["left", "lost", "sent away", "refused"]
"""Why a connection ended: by its client's choice; unasked; unasked, after ``hub:draining``; before it stood."""


class Coming(Record, frozen=True, tag="coming"):
    """A device begins to connect: the hub may know of it from now on."""

    c: int
    """The connection; a new number for each attempt."""
    p: Person
    device: str
    node: str


class There(Record, frozen=True, tag="there"):
    """``session:ready``: the connection stands."""

    c: int
    p: Person
    recovered: bool


class Gone(Record, frozen=True, tag="gone"):
    """The connection has ended, or was never made."""

    c: int
    p: Person
    why: Why


class Saying(Record, frozen=True, tag="saying"):
    """``presence:update`` is sent."""

    p: Person
    device: str
    status: str
    text: str


class Said(Record, frozen=True, tag="said"):
    """It is acknowledged."""

    p: Person


class Watching(Record, frozen=True, tag="watching"):
    """A watcher's connection stands. If it is not ``recovered``, it has asked for everything anew."""

    w: Watcher
    node: str
    recovered: bool


class Unwatching(Record, frozen=True, tag="unwatching"):
    """A watcher's connection is lost. It comes back by itself."""

    w: Watcher


class Seen(Record, frozen=True, tag="seen"):
    """A state of somebody, from the answer to ``presence:watch`` or from a ``presence:diff``."""

    w: Watcher
    p: Person
    told: bool
    """Whether it came by a diff."""
    version: int
    status: str
    text: str
    devices: tuple[tuple[str, str], ...]
    """Names and statuses, sorted."""


class Fault(Record, frozen=True, tag="fault"):
    """Something was broken or, if it is ``over``, mended: a node by its name, or Redis."""

    kind: str
    what: str
    over: bool = False


class Still(Record, frozen=True, tag="still"):
    """Everything has been in order for longer than the hub may take for anything: what is shown now has to be true."""


AnyRecord = Coming | There | Gone | Saying | Said | Watching | Unwatching | Seen | Fault | Still

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AnyRecord).decode


def write_line(record: AnyRecord) -> bytes:
    """The record as a line."""
    return _encode(record) + b"\n"


def write_history(records: Iterable[AnyRecord], file: Path) -> None:
    """All of them, a line each."""
    with file.open("wb") as lines:
        lines.writelines(map(write_line, records))


def read_history(file: Path) -> list[AnyRecord]:
    """What :func:`write_history` wrote."""
    with file.open("rb") as lines:
        return [_decode(line) for line in lines]

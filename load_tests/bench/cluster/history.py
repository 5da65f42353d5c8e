"""What happened while a cluster was broken on purpose: one record a line of JSON, as the checker reads it.

Times are milliseconds of CLOCK_MONOTONIC, which all processes of a machine share. The records of one client are in the
order in which that client saw them; those of different writers are put together by their times.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

Client = int
Room = str
EventId = str
"""The ``clientId`` of a kept message: the same however often it is sent."""


class Record(msgspec.Struct, frozen=True, tag_field="k", forbid_unknown_fields=True):
    """Something that was seen at a time."""

    t: float


class OfClient(Record, frozen=True):
    """Something that a client saw or did."""

    c: Client


class Connected(OfClient, frozen=True, tag="connect"):
    """The client's ``connect``. Not ``recovered``: it was told that it has to read anew, and its rooms are gone."""

    recovered: bool
    sid: str = ""


class Ready(OfClient, frozen=True, tag="ready"):
    """``session:ready``, with the node that the client is on."""

    node: str


class Disconnected(OfClient, frozen=True, tag="disconnect"):
    """The client's ``disconnect``. It comes back by itself."""

    reason: str


class Attempted(OfClient, frozen=True, tag="attempt"):
    """The client's own delay is over, and it tries to connect again."""


class AttemptFailed(OfClient, frozen=True, tag="failed"):
    """That was in vain: a new delay begins."""

    why: str = ""


class Joining(OfClient, frozen=True, tag="joining"):
    """``room:join`` is sent. It is repeated until it is acknowledged, or the client told."""

    room: Room


class Joined(OfClient, frozen=True, tag="joined"):
    """``room:join`` is acknowledged."""

    room: Room


class Leaving(OfClient, frozen=True, tag="leaving"):
    """``room:leave`` is sent. It is repeated as a join is, and no join is sent before it is acknowledged."""

    room: Room


class Left(OfClient, frozen=True, tag="left"):
    """``room:leave`` is acknowledged."""

    room: Room


class Sending(OfClient, frozen=True, tag="send"):
    """``room:send`` of a kept message, or a repeat of it under the same id."""

    room: Room
    id: EventId


class Acknowledged(OfClient, frozen=True, tag="ack"):
    """The hub has stored the message: its number in the database, which need not be its place in the room's order."""

    room: Room
    id: EventId
    seq: int


class Refused(OfClient, frozen=True, tag="refused"):
    """An acknowledgement that is an error."""

    event: str
    room: Room
    code: str


class Got(OfClient, frozen=True, tag="got"):
    """A kept message came."""

    room: Room
    id: EventId
    seq: int


class Ended(OfClient, frozen=True, tag="end"):
    """The last look at a client: all has been still for a while, so whatever it was owed should have come."""

    connected: bool


class Fault(Record, frozen=True, tag="fault"):
    """Something was broken or, if it is ``over``, mended."""

    number: int
    kind: str
    what: str = ""
    over: bool = False


class Ordered(Record, frozen=True, tag="order"):
    """The place of a message in its room's order: a number that only grows, over every epoch. Read from Redis."""

    room: Room
    id: EventId
    number: int


AnyRecord = (
    Connected
    | Ready
    | Disconnected
    | Attempted
    | AttemptFailed
    | Joining
    | Joined
    | Leaving
    | Left
    | Sending
    | Acknowledged
    | Refused
    | Got
    | Ended
    | Fault
    | Ordered
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AnyRecord).decode


def write_line(record: AnyRecord) -> bytes:
    """The record as a line."""
    return _encode(record) + b"\n"


def read_lines(lines: Iterable[bytes]) -> Iterator[AnyRecord]:
    """The records of these lines. A last line that was cut off by the end of its writer is left out."""
    for line in lines:
        if line.endswith(b"\n"):
            yield _decode(line)


def read_history(*files: Path) -> list[AnyRecord]:
    """All records of these files by their time; those of one file never change places."""
    records: list[AnyRecord] = []
    for file in files:
        with file.open("rb") as lines:
            records.extend(read_lines(lines))
    records.sort(key=lambda record: record.t)  # stable, and no file goes back in time
    return records

"""The messages of y-protocols (sync.js, auth.js) and of y-websocket around them, as bytes. No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from collab.awareness import NOTHING
from collab.decoding import BadUpdate, Reader, uint

SYNC, AWARENESS, AUTH, QUERY_AWARENESS = range(4)
STEP_1, STEP_2, UPDATE = range(3)
PERMISSION_DENIED: Final = 0
MAX_MESSAGES: Final = 1000
"""In one frame: clients put two or three together."""


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """Step 1: what the client has. It wants the rest."""

    vector: bytes
    reply_to: int | None = None
    """Where a protocol numbers such questions, the number of this one."""


class Change(msgspec.Struct, frozen=True):
    """Step 2, the answer to our step 1, or an update."""

    update: bytes
    is_answer: bool


@dataclass(frozen=True, slots=True)
class Announcement:
    """An awareness update."""

    update: bytes


@dataclass(frozen=True, slots=True)
class AwarenessQuery:
    """The client asks who is there."""


Message = SyncRequest | Change | Announcement | AwarenessQuery


def block(data: bytes) -> bytes:
    """A byte string with its length before it."""
    return uint(len(data)) + data


def step_1(vector: bytes) -> bytes:
    """What the hub has; the client answers with the rest."""
    return bytes((SYNC, STEP_1)) + block(vector)


def step_2(update: bytes) -> bytes:
    """What the client lacked when it asked."""
    return bytes((SYNC, STEP_2)) + block(update)


def update(data: bytes) -> bytes:
    """A change."""
    return bytes((SYNC, UPDATE)) + block(data)


def awareness(data: bytes) -> bytes:
    """An awareness update."""
    return bytes((AWARENESS,)) + block(data)


def denied(reason: str) -> bytes:
    """The client may not do what it did. y-websocket's shows it on the console, and does nothing else."""
    return bytes((AUTH, PERMISSION_DENIED)) + block(reason.encode())


KEEP_ALIVE: Final = awareness(NOTHING)
"""Tells of nobody: y-websocket leaves a server that has said nothing for 30 s."""


def read_sync(reader: Reader) -> SyncRequest | Change:
    """The body of a sync message. Raises BadUpdate and IndexError."""
    kind, data = reader.uint(), reader.raw()
    if kind == STEP_1:
        return SyncRequest(data)
    if kind in (STEP_2, UPDATE):
        return Change(data, is_answer=kind == STEP_2)
    raise BadUpdate("an unknown kind of sync message")


def decode(data: bytes) -> list[Message]:
    """The messages in one frame of y-websocket. Raises BadUpdate, and nothing else."""
    reader = Reader(data)
    try:
        return list(_messages(reader))
    except IndexError:
        raise BadUpdate("truncated") from None


def _messages(reader: Reader) -> Iterator[Message]:
    for _ in range(MAX_MESSAGES):
        kind = reader.uint()
        if kind == SYNC:
            yield read_sync(reader)
        elif kind == AWARENESS:
            yield Announcement(reader.raw())
        elif kind == QUERY_AWARENESS:
            yield AwarenessQuery()
        else:
            raise BadUpdate("an unknown kind of message")
        if reader.at == reader.size:
            return
    raise BadUpdate("too many messages in one frame")

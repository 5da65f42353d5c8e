"""The messages of Hocuspocus 4, as bytes: those of y-protocols behind the name of a document. No I/O."""

from dataclasses import dataclass
from typing import Final

from collab.decoding import BadUpdate, Reader, uint
from collab.native import sync
from collab.native.sync import Announcement, AwarenessQuery, Change, SyncRequest, block

SYNC, AWARENESS, AUTH, QUERY_AWARENESS, SYNC_REPLY, STATELESS, BROADCAST_STATELESS, CLOSE, SYNC_STATUS = range(9)
TOKEN, PERMISSION_DENIED, AUTHENTICATED = range(3)
PING: Final = b"\x09"
PONG: Final = b"\x0a"
"""Of the connection: without a name."""
MAX_NAME: Final = 200
"""Bytes of a name: a UUID, and the name that a provider gives to its session."""


@dataclass(frozen=True, slots=True)
class Token:
    """The client wants to open the document."""

    text: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The client has closed the document."""


@dataclass(frozen=True, slots=True)
class Unserved:
    """What the hub has nothing for: messages between the clients and hooks of a Hocuspocus server."""


Body = SyncRequest | Change | Announcement | AwarenessQuery | Token | Closed | Unserved


def decode(data: bytes) -> tuple[bytes, Body]:
    """The name, as it came, and what is said. Raises BadUpdate, and nothing else."""
    reader = Reader(data)
    try:
        name = reader.raw()
        if len(name) > MAX_NAME:
            raise BadUpdate("a name that is too long")
        return name, _body(reader)
    except IndexError:
        raise BadUpdate("truncated") from None
    except UnicodeDecodeError:
        raise BadUpdate("text that is not UTF-8") from None


def _body(reader: Reader) -> Body:
    kind = reader.uint()
    match kind:
        case 0 | 4:  # SYNC, SYNC_REPLY
            return sync.read_sync(reader)
        case 1:  # AWARENESS
            return Announcement(reader.raw())
        case 2:  # AUTH
            if reader.uint() != TOKEN:
                raise BadUpdate("what only a server says")
            return Token(reader.raw().decode())  # the version of the provider follows
        case 3:  # QUERY_AWARENESS
            return AwarenessQuery()
        case 5 | 6:  # STATELESS, BROADCAST_STATELESS
            return Unserved()
        case 7:  # CLOSE
            return Closed()
    raise BadUpdate("an unknown kind of message")


def document_of(name: bytes) -> str:
    """The document that a name is of: a session's name may follow it. Raises BadUpdate."""
    try:
        return name.partition(b"\0")[0].decode()
    except UnicodeDecodeError:
        raise BadUpdate("text that is not UTF-8") from None


def authenticated(*, may_write: bool) -> bytes:
    """The document is open."""
    return bytes((AUTH, AUTHENTICATED)) + block(b"read-write" if may_write else b"readonly")


def denied(reason: str) -> bytes:
    """The document is not opened, or not any more."""
    return bytes((AUTH, PERMISSION_DENIED)) + block(reason.encode())


def close(reason: str) -> bytes:
    """The document is closed."""
    return uint(CLOSE) + block(reason.encode())


def sync_status(*, applied: bool) -> bytes:
    """A change of the client is stored, or refused."""
    return bytes((SYNC_STATUS, applied))

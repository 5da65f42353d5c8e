"""How a node and a process beside it speak: a length of eight bytes, then that many, both ways."""

from struct import Struct
from typing import BinaryIO, Final

LENGTH: Final = Struct("<Q")


def framed(message: bytes) -> bytes:
    """A message with its length before it."""
    return LENGTH.pack(len(message)) + message


def read(stream: BinaryIO) -> bytes | None:
    """The next message; ``None`` at the end, also in the middle of one."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    message = stream.read(length)
    return message if len(message) == length else None

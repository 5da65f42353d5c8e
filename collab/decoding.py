"""Reading the lib0 encoding that Yjs messages are written in, without trusting a byte of it."""

MAX_CLOCK = (1 << 31) - 1
"""Yrs keeps clocks in 32 bits."""
MAX_CLIENT_ID = (1 << 53) - 1
"""Yjs client ids are JavaScript integers."""
MAX_VARUINT_BITS = 56
"""Longest variable-length number read, in bits: above every limit used, and Python would go on for ever."""


class BadUpdate(ValueError):
    """The bytes are no honest Yjs update, state vector or awareness update; the message says why."""


class Reader:
    """A position in a message. Past its end a read raises IndexError or BadUpdate, never returns less."""

    __slots__ = ("at", "data", "size")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.size = len(data)

    def byte(self) -> int:
        """The next byte."""
        self.at += 1
        return self.data[self.at - 1]

    def uint(self, limit: int = MAX_CLOCK) -> int:
        """A variable-length number up to ``limit``."""
        value = self.data[self.at]
        self.at += 1
        if value < 128:
            return value
        value &= 127
        shift = 7
        while True:
            part = self.data[self.at]
            self.at += 1
            value |= (part & 127) << shift
            if part < 128:
                break
            shift += 7
            if shift > MAX_VARUINT_BITS:
                raise BadUpdate("a number is too long")
        if value > limit:
            raise BadUpdate("a number is too large")
        return value

    def count(self, least: int) -> int:
        """A number of things of at least ``least`` bytes each.

        More of them than can follow is a lie: five bytes that claim millions of clients cost Yrs 130 MB and a second.
        """
        number = self.data[self.at]
        if number < 128:  # as nearly all: a call less
            self.at += 1
        else:
            number = self.uint()
        if number * least > self.size - self.at:
            raise BadUpdate("a count exceeds the bytes that follow")
        return number

    def raw(self) -> bytes:
        """A byte string with its length before it."""
        length = self.data[self.at]
        if length < 128:
            start = self.at + 1
        else:
            length = self.uint()
            start = self.at
        end = start + length
        if end > self.size:
            raise BadUpdate("a count exceeds the bytes that follow")
        self.at = end
        return self.data[start:end]

    def units(self) -> int:
        """Read a string and return its length in UTF-16 units, which is what Yjs counts clocks in."""
        text = self.raw()
        return len(text) if text.isascii() else len(text.decode().encode("utf-16-le")) // 2

    def skip(self, length: int) -> None:
        """Pass over ``length`` bytes."""
        self.at += length
        if self.at > self.size:
            raise BadUpdate("truncated")

    def end(self) -> None:
        """Check that everything was read."""
        if self.at != self.size:
            raise BadUpdate("bytes are left over")


def uint(value: int) -> bytes:
    """A variable-length number, as :meth:`Reader.uint` reads it."""
    if value < 128:
        return _SMALL[value]
    encoded = bytearray()
    while value > 127:
        encoded.append(128 | value & 127)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


_SMALL = [bytes((value,)) for value in range(128)]

"""Yjs update v2: the same parts as v1, in columns that are run-length encoded.

After Yjs 13's ``UpdateEncoderV2`` and lib0's encoders. Yrs has it too, but pycrdt does not show it.
"""

from collab.decoding import MAX_CLIENT_ID, MAX_CLOCK, BadUpdate, Reader, uint
from collab.formats import values
from collab.formats.structs import Id, Parts, V1Reader, V1Writer, read_v1, write_v1
from collab.update import MAX_BYTES

MOST_STRUCTS = 2_000_000
"""Structs of one update: a run-length encoded million of them takes a dozen bytes, and a second to write out."""
COLUMNS = 9


def v2_from_v1(update: bytes) -> bytes:
    """An update v1 as v2. Raises BadUpdate."""
    return V2Writer().write(read_v1(update))


def v1_from_v2(update: bytes) -> bytes:
    """An update v2 as v1. Raises BadUpdate, and nothing else, whatever the bytes are."""
    return write_v1(read_v2(update))


def read_v2(data: bytes) -> Parts:
    """The parts of an update v2. Raises BadUpdate, and nothing else."""
    try:
        reader = V2Reader(data)
        parts = reader.parts()
    except IndexError:
        raise BadUpdate("truncated") from None
    except UnicodeDecodeError:
        raise BadUpdate("a string is not UTF-8") from None
    reader.end()
    return parts


class Runs:
    """A column of numbers: each once, or with its sign set and how often. lib0's ``UintOptRleEncoder``."""

    def __init__(self) -> None:
        self._encoded = bytearray()
        self._value = 0
        self._count = 0

    def write(self, value: int) -> None:
        """Add a number."""
        if value == self._value:
            self._count += 1
            return
        self._flush()
        self._value, self._count = value, 1

    def finish(self) -> bytes:
        """The column."""
        self._flush()
        return bytes(self._encoded)

    def _flush(self) -> None:
        if self._count:
            self._encoded += values.write_signed(self._value, negative=self._count > 1)
            if self._count > 1:
                self._encoded += uint(self._count - 2)
            self._count = 0


class Steps:
    """A column of numbers by their differences. lib0's ``IntDiffOptRleEncoder``."""

    def __init__(self) -> None:
        self._encoded = bytearray()
        self._last = self._step = self._count = 0

    def write(self, value: int) -> None:
        """Add a number."""
        step = value - self._last
        self._last = value
        if step == self._step:
            self._count += 1
            return
        self._flush()
        self._step, self._count = step, 1

    def finish(self) -> bytes:
        """The column."""
        self._flush()
        return bytes(self._encoded)

    def _flush(self) -> None:
        if self._count:
            self._encoded += values.write_signed(2 * self._step + (self._count > 1))
            if self._count > 1:
                self._encoded += uint(self._count - 2)
            self._count = 0


class Bytes:
    """A column of bytes, each with how often it comes; the last one for ever. lib0's ``RleEncoder``."""

    def __init__(self) -> None:
        self._encoded = bytearray()
        self._value = -1
        self._count = 0

    def write(self, value: int) -> None:
        """Add a byte."""
        if value == self._value:
            self._count += 1
            return
        if self._count:
            self._encoded += uint(self._count - 1)
        self._encoded.append(value)
        self._value, self._count = value, 1

    def finish(self) -> bytes:
        """The column."""
        return bytes(self._encoded)


class V2Writer(V1Writer):
    """The primitives of v2."""

    def __init__(self) -> None:
        super().__init__()
        self._keys, self._lefts, self._rights = Steps(), Steps(), Steps()
        self._clients, self._types, self._lengths = Runs(), Runs(), Runs()
        self._infos, self._parents = Bytes(), Bytes()
        self._texts: list[str] = []
        self._text_lengths = Runs()
        self._key_count = 0

    def finish(self) -> bytes:
        """All columns, then the rest."""
        text = "".join(self._texts).encode("utf-8", "surrogatepass")
        columns = [
            self._keys.finish(),
            self._clients.finish(),
            self._lefts.finish(),
            self._rights.finish(),
            self._infos.finish(),
            uint(len(text)) + text + self._text_lengths.finish(),
            self._parents.finish(),
            self._types.finish(),
            self._lengths.finish(),
        ]
        return b"\0" + b"".join(uint(len(column)) + column for column in columns) + bytes(self.rest)

    def info(self, value: int) -> None:  # noqa: D102 - see V1Reader, here and below
        self._infos.write(value)

    def client(self, value: int) -> None:  # noqa: D102
        self._clients.write(value)

    def left_id(self, value: Id) -> None:  # noqa: D102
        self._clients.write(value[0])
        self._lefts.write(value[1])

    def right_id(self, value: Id) -> None:  # noqa: D102
        self._clients.write(value[0])
        self._rights.write(value[1])

    def by_name(self, value: bool) -> None:  # noqa: D102
        self._parents.write(int(value))

    def string(self, value: str) -> None:  # noqa: D102
        self._texts.append(value)
        self._text_lengths.write(values.units(value))

    def length(self, value: int) -> None:  # noqa: D102
        self._lengths.write(value)

    def mark(self, value: str) -> None:  # noqa: D102
        self._keys.write(self._key_count)  # each anew: Yjs 13 never finds one that it has written
        self._key_count += 1
        self.string(value)

    def type_ref(self, value: int) -> None:  # noqa: D102
        self._types.write(value)

    def json(self, value: object) -> None:  # noqa: D102
        self.rest += values.write(value)

    def ranges(self, value: list[tuple[int, int]]) -> None:  # noqa: D102
        last = 0
        for clock, length in value:
            self.number(clock - last)
            self.number(length - 1)
            last = clock + length


class RunsReader:
    """Reads :class:`Runs`."""

    def __init__(self, data: bytes) -> None:
        self._reader = Reader(data)
        self._value = self._count = 0

    def read(self) -> int:
        """The next number."""
        if not self._count:
            negative = bool(self._reader.data[self._reader.at] & 64)
            self._value = abs(values.signed(self._reader))
            self._count = self._reader.uint() + 2 if negative else 1
        self._count -= 1
        return self._value


class StepsReader:
    """Reads :class:`Steps`."""

    def __init__(self, data: bytes) -> None:
        self._reader = Reader(data)
        self._last = self._step = self._count = 0

    def read(self) -> int:
        """The next number."""
        if not self._count:
            step = values.signed(self._reader)
            self._step = step >> 1
            self._count = self._reader.uint() + 2 if step & 1 else 1
        self._count -= 1
        self._last += self._step
        if not 0 <= self._last <= MAX_CLOCK:
            raise BadUpdate("a clock is out of range")
        return self._last


class BytesReader:
    """Reads :class:`Bytes`."""

    def __init__(self, data: bytes) -> None:
        self._reader = Reader(data)
        self._value = self._count = 0

    def read(self) -> int:
        """The next byte."""
        if not self._count:
            self._value = self._reader.byte()
            more = self._reader.at < self._reader.size
            self._count = self._reader.uint() + 1 if more else -1
        self._count -= 1
        return self._value


class TextsReader:
    """Reads one string after another out of all of them."""

    def __init__(self, data: bytes) -> None:
        reader = Reader(data)
        text = reader.raw().decode()
        self._ascii = text if text.isascii() else None
        self._text = b"" if self._ascii is not None else text.encode("utf-16-le")
        self._size = len(text) if self._ascii is not None else len(self._text) // 2
        self._lengths = RunsReader(data[reader.at :])
        self._at = 0

    def read(self) -> str:
        """The next string."""
        start, self._at = self._at, self._at + self._lengths.read()
        if self._at > self._size:
            raise BadUpdate("a string is longer than all of them")
        if self._ascii is not None:
            return self._ascii[start : self._at]
        return self._text[2 * start : 2 * self._at].decode("utf-16-le")


class V2Reader(V1Reader):
    """The primitives of v2."""

    __slots__ = (
        "_clients",
        "_infos",
        "_key_numbers",
        "_keys",
        "_lefts",
        "_lengths",
        "_parents",
        "_rights",
        "_structs",
        "_texts",
        "_types",
    )

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_BYTES:
            raise BadUpdate(f"more than {MAX_BYTES} bytes")
        super().__init__(data)
        self.uint()  # flags, of which there are none yet
        columns = [self.raw() for _ in range(COLUMNS)]
        self._key_numbers = StepsReader(columns[0])
        self._clients = RunsReader(columns[1])
        self._lefts, self._rights = StepsReader(columns[2]), StepsReader(columns[3])
        self._infos = BytesReader(columns[4])
        self._texts = TextsReader(columns[5])
        self._parents = BytesReader(columns[6])
        self._types, self._lengths = RunsReader(columns[7]), RunsReader(columns[8])
        self._keys: list[str] = []
        self._structs = 0

    def count(self, least: int) -> int:
        """A number of things. Those in columns take no bytes of the rest, so they are counted instead."""
        number = self.uint()
        self._structs += number
        if self._structs > MOST_STRUCTS:
            raise BadUpdate(f"more than {MOST_STRUCTS} parts")
        return number

    def raw(self) -> bytes:
        """A byte string with its length before it."""
        length = self.uint()
        if length > self.size - self.at:
            raise BadUpdate("a count exceeds the bytes that follow")
        self.at += length
        return self.data[self.at - length : self.at]

    def info(self) -> int:  # noqa: D102 - see V1Reader, here and below
        return self._infos.read()

    def client(self) -> int:  # noqa: D102
        client = self._clients.read()
        if client > MAX_CLIENT_ID:
            raise BadUpdate("a number is too large")
        return client

    def left_id(self) -> Id:  # noqa: D102
        return self.client(), self._lefts.read()

    def right_id(self) -> Id:  # noqa: D102
        return self.client(), self._rights.read()

    def by_name(self) -> bool:  # noqa: D102
        return self._parents.read() == 1

    def string(self) -> str:  # noqa: D102
        return self._texts.read()

    def length(self) -> int:  # noqa: D102
        length = self._lengths.read()
        if length > MAX_CLOCK:
            raise BadUpdate("a number is too large")
        return length

    def mark(self) -> str:  # noqa: D102
        number = self._key_numbers.read()
        if number < len(self._keys):
            return self._keys[number]
        self._keys.append(self.string())
        return self._keys[-1]

    def type_ref(self) -> int:  # noqa: D102
        return self._types.read()

    def json(self) -> object:  # noqa: D102
        return values.read(self)

    def ranges(self, number: int) -> list[tuple[int, int]]:  # noqa: D102
        found, last = [], 0
        for _ in range(number):
            clock = last + self.uint()
            length = self.uint() + 1
            last = clock + length
            if last > MAX_CLOCK:
                raise BadUpdate("a clock is out of range")
            found.append((clock, length))
        return found

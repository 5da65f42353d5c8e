"""Inputs that are nearly right: a valid one, changed in a few places."""

from collections.abc import Callable, Sequence
from random import Random

MOST_CHANGES = 4
INTERESTING = (b"\x00", b"\x7f", b"\x80", b"\xff", b"\x7e", b"\xfe", b"0", b"9", b'"', b"\\", b"\xed\xa0\x80", b"\xc3")
"""Ends of ranges, and what breaks UTF-8."""


def mutate(random: Random, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """One of the seeds, changed up to MOST_CHANGES times; now and then as it is. `tokens` are put in at random."""
    data = random.choice(seeds)
    for _ in range(random.randrange(MOST_CHANGES + 1)):
        data = random.choice(_CHANGES)(random, data, seeds, tokens)
    return data


def cut(random: Random, data: bytes, pieces: int) -> list[bytes]:
    """`data` in so many pieces at most, none of them empty; every byte alone if there are as many pieces as bytes."""
    inner = range(1, len(data))
    places = sorted(random.sample(inner, min(pieces - 1, len(inner)))) if data else []
    return [data[start:stop] for start, stop in zip([0, *places], [*places, len(data)], strict=True) if start < stop]


def _span(random: Random, data: bytes) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.randrange(1, 9))


def _flip(random: Random, data: bytes, _seeds: Sequence[bytes], _tokens: Sequence[bytes]) -> bytes:
    place = random.randrange(len(data) or 1)
    return data[:place] + bytes(byte ^ 1 << random.randrange(8) for byte in data[place : place + 1]) + data[place + 1 :]


def _replace(random: Random, data: bytes, _seeds: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    start, stop = _span(random, data)
    return data[:start] + random.choice(INTERESTING if random.randrange(2) else tokens) + data[stop:]


def _insert(random: Random, data: bytes, _seeds: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    start, _ = _span(random, data)
    return data[:start] + random.choice(tokens) * random.choice((1, 1, 1, 2, 40)) + data[start:]


def _delete(random: Random, data: bytes, _seeds: Sequence[bytes], _tokens: Sequence[bytes]) -> bytes:
    start, stop = _span(random, data)
    return data[:start] + data[stop:]


def _repeat(random: Random, data: bytes, _seeds: Sequence[bytes], _tokens: Sequence[bytes]) -> bytes:
    start, stop = _span(random, data)
    return data[:stop] + data[start:]


def _truncate(random: Random, data: bytes, _seeds: Sequence[bytes], _tokens: Sequence[bytes]) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _splice(random: Random, data: bytes, seeds: Sequence[bytes], _tokens: Sequence[bytes]) -> bytes:
    other = random.choice(seeds)
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


_CHANGES: tuple[Callable[[Random, bytes, Sequence[bytes], Sequence[bytes]], bytes], ...] = (
    _flip,
    _flip,
    _replace,
    _insert,
    _delete,
    _repeat,
    _truncate,
    _splice,
)

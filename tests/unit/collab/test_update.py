"""Updates read without applying them: honest ones pass and are understood, the others raise BadUpdate only."""

import contextlib
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc

from collab import state_vector
from collab.decoding import BadUpdate, uint
from collab.update import MAX_DEPTH, parse
from tests.support.yjs import Writer, edit


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_honest_updates_are_accepted_and_clocks_agree_with_pycrdt(seed: int) -> None:
    rnd = random.Random(seed)
    writers = [Writer(), Writer()]
    clocks: dict[int, int] = {}
    for _ in range(25):
        writer, other = rnd.sample(writers, 2)
        update = edit(writer, rnd)
        parsed = parse(update)
        assert not parsed.gap(clocks)
        parsed.advance(clocks)
        other.take(update)
        assert clocks == writer.clocks()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_a_mutant_is_refused_or_gapped_or_leaves_the_clocks_that_pycrdt_has(seed: int) -> None:
    rnd = random.Random(seed)
    writer = Writer()
    data = bytearray(b"".join(edit(writer, rnd) for _ in range(rnd.randint(1, 4)))[-200:] or b"\0\0")
    if rnd.random() < 0.7:
        data = bytearray(edit(writer, rnd))
    for _ in range(rnd.randint(1, 3)):
        data[rnd.randrange(len(data))] = rnd.randrange(256)
    with contextlib.suppress(BadUpdate):
        parsed = parse(bytes(data))
        doc: Doc[Any] = Doc()
        clocks: dict[int, int] = {}
        if not parsed.gap(clocks):
            with contextlib.suppress(ValueError):
                doc.apply_update(bytes(data))
                parsed.advance(clocks)
                if len(parsed.brings) == 1:
                    assert state_vector.decode(doc.get_state()) == clocks


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_raises_nothing_but_bad_update(data: bytes) -> None:
    for read in (parse, state_vector.decode):
        with contextlib.suppress(BadUpdate):
            read(data)


def test_an_update_that_builds_on_an_unknown_one_has_a_gap() -> None:
    writer = Writer()
    first, second = writer.write("a"), writer.write("b")
    clocks: dict[int, int] = {}
    assert parse(second).gap(clocks)
    parse(first).advance(clocks)
    assert not parse(second).gap(clocks)


def test_deleting_what_is_unknown_is_a_gap() -> None:
    writer = Writer()
    writer.write("abc")
    before = writer.doc.get_state()
    del writer.text[0:1]
    assert parse(writer.doc.get_update(before)).gap({})


HEAD = b"\1\1\7\0\x08\1\1t"
EVIL = {
    "no end of a number": b"\xff" * 5 + b"\x7f",
    "20 million clients": uint(20_000_000),
    "20 million structs": b"\1" + uint(20_000_000) + b"\7\0",
    "20 million deletions": b"\0\1\7" + uint(20_000_000),
    "20 million values": HEAD + uint(20_000_000),
    "nested values": HEAD + b"\1" + b"\x75\1" * 100_000 + b"\x7e\0",
    "nested JSON": b"\1\1\7\0\x05\1\1t" + uint(400) + b"[" * 200 + b"]" * 200 + b"\0",
    "an item that refers to itself": b"\1\1\7\0\x84\7\0\1x\0",
    "an empty string": b"\1\1\7\0\4\1\1t\0\0",
    "a clock beyond 32 bits": b"\1\2\7\0\0" + uint(2**31 - 1) + b"\0\5\0",
    "a weak link of Yrs": b"\1\1\7\0\7\1\1t\7\0",
    "a move of Yrs": b"\1\1\7\0\x0b\1\1t\0\1\0\1\0\0",
    "no UTF-8": b"\1\1\7\0\4\1\1t\1\xff\0",
    "bytes left over": b"\0\0\0",
    "nothing": b"",
}


@pytest.mark.parametrize("data", EVIL.values(), ids=EVIL.keys())
def test_dishonest_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BadUpdate):
        parse(data)


def test_values_may_be_nested_to_the_limit() -> None:
    parse(HEAD + b"\1" + b"\x75\1" * MAX_DEPTH + b"\x7e\0")


@given(st.dictionaries(st.integers(0, 2**53 - 1), st.integers(0, 2**31 - 1), max_size=20))
def test_a_state_vector_comes_back(clocks: dict[int, int]) -> None:
    assert state_vector.decode(state_vector.encode(clocks)) == clocks

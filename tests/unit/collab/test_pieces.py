"""Large updates in pieces: the same document, each piece in causal order and small."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc

from collab.cutting import cut, prepare
from collab.decoding import uint
from collab.document import Document
from collab.pieces import LONGEST_DELETION, PIECE
from collab.update import parse
from tests.support.yjs import Writer, content_of, edit

LETTERS = 3 * LONGEST_DELETION
LONG_TEXT = b"\1\1\7\0\4\1\1t" + uint(LETTERS) + b"a" * LETTERS + b"\0"


def whole_of(writers: list[Writer]) -> bytes:
    document: Doc[Any] = Doc()
    for writer in writers:
        document.apply_update(writer.doc.get_update())
    return document.get_update()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_the_pieces_of_an_update_give_the_same_document_in_causal_order(seed: int) -> None:
    rnd = random.Random(seed)
    writers = [Writer() for _ in range(4)]
    for _ in range(150):
        writer, other = rnd.sample(writers, 2)
        update = edit(writer, rnd)
        if rnd.random() < 0.5 and not parse(update).gap(other.clocks()):
            other.take(update)
        elif rnd.random() < 0.2:
            other.take(writer.doc.get_update(other.doc.get_state()))
    whole = whole_of(writers)
    document = Document("d")
    for piece in cut(whole):
        parsed = parse(piece)
        assert parsed.small
        assert not parsed.gap(document.clocks)
        document.apply(piece, parsed)
    assert content_of(document.diff()) == content_of(whole)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_an_update_for_a_document_that_has_the_beginning_can_be_cut_too(seed: int) -> None:
    rnd, writer = random.Random(seed), Writer()
    begun = Document("d")
    begun.apply_ready([edit(writer, rnd) for _ in range(20)])
    before = writer.doc.get_state()
    for _ in range(150):
        edit(writer, rnd)
    update = writer.doc.get_update(before)
    begun.apply(update, prepare(update))
    assert content_of(begun.diff()) == content_of(writer.doc.get_update())


def test_long_deletions_are_cut_too() -> None:
    document = Document("d")
    document.apply_ready([LONG_TEXT])
    ranges = 3 * PIECE
    many = b"\0\1\7" + uint(ranges) + b"".join(uint(2 * number) + b"\1" for number in range(ranges))
    everything = b"\0\1\7\1" + b"\0" + uint(LETTERS)
    for update, count in ((many, 3), (everything, 3)):
        pieces = list(cut(update))
        assert len(pieces) == count
        assert all(parse(piece).small for piece in pieces)
        document.apply(update, prepare(update))
    plain: Doc[Any] = Doc()
    for update in (LONG_TEXT, many, everything):
        plain.apply_update(update)
    assert document.diff() == plain.get_update()


def test_clients_that_build_on_each_other_letter_by_letter_are_cut_in_linear_time() -> None:
    clients = 2_000
    items = [b"\x84" + uint(client - 1) + b"\0\1x" if client > 1 else b"\4\1\1t\1x" for client in range(1, clients + 1)]
    blocks = [b"\1" + uint(client) + b"\0" + items[client - 1] for client in range(clients, 0, -1)]
    update = uint(clients) + b"".join(blocks) + b"\0"
    document = Document("d")
    document.apply(update, prepare(update))
    assert document.whole()
    assert len(document.clocks) == clients


def test_items_in_a_circle_leave_a_document_that_is_not_whole() -> None:
    circle = b"\2" + b"\1\7\0\x84\x08\0\1x" + b"\1\x08\0\x84\7\0\1y" + b"\0"
    assert list(cut(circle)) == []

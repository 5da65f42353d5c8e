"""Hot documents: any order of arrival gives the same text, and nothing broken is kept."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collab.document import BrokenDocument, Document
from collab.log import Row, pack, unpack
from collab.update import parse
from tests.support.yjs import Writer, edit, text_of


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_three_writers_in_any_order_of_arrival_give_equal_documents(seed: int) -> None:
    rnd = random.Random(seed)
    writers = [Writer() for _ in range(3)]
    history: list[bytes] = []
    for _ in range(30):
        writer = rnd.choice(writers)
        for update in rnd.sample(history, rnd.randint(0, len(history))) if rnd.random() < 0.3 else ():
            if not parse(update).gap(writer.clocks()):
                writer.take(update)
        history.append(edit(writer, rnd))
    straight, mixed = Document("a"), Document("b")
    straight.apply_ready(history)
    rnd.shuffle(history)
    for number, update in enumerate(history, start=1):
        mixed.take(Row("b", 1, number, pack([update])))
    assert mixed.early == []
    assert mixed.whole()
    assert mixed.clocks == straight.clocks
    assert text_of(mixed.diff()) == text_of(straight.diff())


def test_an_early_update_waits_and_is_reported_when_it_is_applied() -> None:
    writer = Writer()
    first, second = writer.write("a"), writer.write("b")
    document = Document("d")
    assert document.take(Row("d", 1, 1, pack([second]))) == []
    assert document.early
    assert document.take(Row("d", 2, 1, pack([first]))) == [first, second]
    assert text_of(document.diff()) == "ab"


def test_a_row_is_applied_once_and_an_own_row_not_again() -> None:
    row = Row("d", 1, 1, pack([Writer().write("a")]))
    document = Document("d")
    document.written.add((1, 1))
    assert document.take(row) == []
    assert document.position == {1: 1}
    assert document.written == set()
    other = Document("d")
    assert other.take(row)
    assert other.take(row) == []


def test_what_is_no_update_breaks_the_document() -> None:
    document = Document("d")
    with pytest.raises(BrokenDocument):
        document.take(Row("d", 1, 1, b"\1\0\0\0x"))
    assert document.broken


def test_items_of_two_clients_that_refer_to_each_other_break_the_document() -> None:
    circle = b"\2" + b"\1\7\0\x84\x08\0\1x" + b"\1\x08\0\x84\7\0\1y" + b"\0"
    update = parse(circle)
    assert not update.gap({})
    with pytest.raises(BrokenDocument):
        Document("d").apply(circle, update)


@given(st.lists(st.binary(min_size=1)))
def test_packed_updates_come_back(updates: list[bytes]) -> None:
    assert unpack(pack(updates)) == updates


def test_an_update_that_other_content_of_its_client_cuts_in_the_middle_of_an_emoji_breaks_the_document() -> None:
    document = Document("d")
    document.apply_ready([b"\1\1\7\0\4\1\4text\1a\0"])
    emoji = b"\1\1\7\0\4\1\4text\4" + "😀".encode() + b"\0"
    update = parse(emoji)
    assert not update.gap(document.clocks)
    with pytest.raises(BrokenDocument):
        document.apply(emoji, update)

"""The whole of a document, proved: also where Yrs writes something else."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collab.document import Document
from collab.proof import NotProved, merged, proved, whole
from tests.support.yjs import Writer, content_of, edit

EMOJI = b"\1\1\7\0\4\1\4text\4" + "😀".encode() + b"\0"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_a_document_is_what_was_written_of_it_and_so_are_its_merged_updates(seed: int) -> None:
    rnd, writer, document = random.Random(seed), Writer(), Document("d")
    updates = [edit(writer, rnd) for _ in range(100)]
    document.apply_ready(updates)
    state, parsed = whole(document, updates)
    assert content_of(state) == content_of(merged(updates)[0]) == content_of(writer.doc.get_update())
    assert parsed.levels <= document.nesting


@pytest.mark.parametrize("half", [0, 1])
def test_half_a_deleted_emoji_leaves_the_clocks_of_the_document_as_they_are(half: int) -> None:
    updates = [EMOJI, b"\0\1\7\1" + bytes([half]) + b"\1"]
    document = Document("d")
    document.apply_ready(updates)
    assert document.clocks == {7: 2}
    with pytest.raises(NotProved):  # when this fails Yrs has learned it, and the merging can go
        proved(document.diff(), document.clocks)
    state, _ = whole(document, updates)
    copy = Document("d")
    copy.apply_ready([state])
    assert copy.clocks == {7: 2}
    assert copy.whole()


def test_what_is_not_all_of_it_is_not_proved() -> None:
    writer, document = Writer(), Document("d")
    first, second = writer.write("a"), writer.write("b")
    document.apply_ready([first, second])
    for state in (first, b"\0\0", b"\xff", second):
        with pytest.raises(NotProved):
            proved(state, document.clocks)

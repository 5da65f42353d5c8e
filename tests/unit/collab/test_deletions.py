"""Deletions compared: what is deleted already is told from what is not, as pycrdt has it."""

import random

from hypothesis import given
from hypothesis import strategies as st

from collab.deletions import are_among, only_deletes
from tests.support.yjs import Writer


def deletions_of(writer: Writer) -> bytes:
    """What a client answers that has nothing to bring."""
    return writer.doc.get_update(writer.doc.get_state())


@given(st.integers(0, 2**32))
def test_what_one_has_deleted_is_among_what_both_have_once_they_met(seed: int) -> None:
    rnd = random.Random(seed)
    one, other = Writer(), Writer()
    other.take(one.write("a shared text of some length"))
    for writer in (one, other):
        for _ in range(rnd.randrange(4)):
            at = rnd.randrange(len(writer.text) - 3)
            del writer.text[at : at + rnd.randrange(1, 3)]
    mine, before = deletions_of(one), deletions_of(other)
    assert only_deletes(mine)
    assert only_deletes(before)
    other.take(mine)
    both = deletions_of(other)
    assert are_among(mine, both)
    assert are_among(before, both)
    assert are_among(both, before) == (both == before or are_among(mine, before))
    one.take(before)
    assert are_among(both, deletions_of(one))


def test_content_is_no_deletion() -> None:
    writer = Writer()
    assert not only_deletes(writer.write("a"))
    assert only_deletes(b"\0\0")
    assert are_among(b"\0\0", b"\0\0")

"""How deep shared types lie in one another: measured in one update, bounded over many, limited."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collab.decoding import BadUpdate, uint
from collab.document import Document, NestingUnknown
from collab.log import Snapshot
from collab.nesting import Item, levels
from collab.update import parse, parse_document
from tests.support.yjs import Writer, edit


def chain(depth: int, *, start: int = 0) -> bytes:
    """Arrays in one another, each the only child of the one before; they begin in the item at ``start`` - 1."""
    structs = [b"\1" + uint(depth) + b"\7" + uint(start)]
    for clock in range(start, start + depth):
        structs.append(b"\7\0\7" + uint(clock - 1) + b"\0" if clock else b"\7\1\1t\0")
    return b"".join(structs) + b"\0"


def test_a_chain_in_one_update_is_as_deep_as_it_is_long() -> None:
    assert parse(chain(1)).levels == 1
    assert parse(chain(5_000)).levels == 5_000
    assert parse(Writer().write("no type")).levels == 0


def test_a_sibling_lies_as_deep_as_the_neighbour_that_it_names() -> None:
    list_in_list = b"\1\4\7\0" + b"\7\1\1t\0" + b"\7\0\7\0\0" + b"\x87\7\1\0" + b"\7\0\7\2\0" + b"\0"
    assert parse(list_in_list).levels == 3


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_the_depth_is_that_of_a_plain_walk(seed: int) -> None:
    rnd = random.Random(seed)
    items: list[Item] = []
    depths: list[int] = []
    clocks = dict.fromkeys((1, 2, 3), 0)
    for _ in range(40):
        client, length = rnd.choice((1, 2, 3)), rnd.randint(1, 3)
        creates = rnd.random() < 0.6
        length = 1 if creates else length
        reference, inherits, depth = None, False, 0
        if items and rnd.random() < 0.9:
            number = rnd.randrange(len(items))
            target = items[number]
            inherits = rnd.random() < 0.5 or not target.creates_type
            reference = target.client, rnd.randrange(target.clock, target.end)
            depth = depths[number] + (0 if inherits else 1)
        items.append(Item(client, clocks[client], clocks[client] + length, reference, inherits, creates))
        depths.append(depth)
        clocks[client] += length
    expected = max((depth + 1 for item, depth in zip(items, depths, strict=True) if item.creates_type), default=0)
    rnd.shuffle(items)
    assert levels(items) == expected


def test_items_that_refer_to_each_other_in_a_circle_are_refused() -> None:
    with pytest.raises(BadUpdate):
        parse(b"\2" + b"\1\7\0\x87\x08\0\0" + b"\1\x08\0\x87\7\0\0" + b"\0")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_the_bound_of_many_updates_is_never_less_than_the_depth(seed: int) -> None:
    rnd, writer, document = random.Random(seed), Writer(), Document("d")
    for _ in range(30):
        document.apply_ready([edit(writer, rnd)])
    assert document.nesting >= parse_document(document.diff()).levels


def test_what_a_document_has_already_does_not_count_again() -> None:
    document = Document("d")
    for _ in range(3):
        document.apply_ready([chain(10)])
    assert document.nesting == 10


def test_one_level_more_than_allowed_is_refused_also_if_small_updates_build_it() -> None:
    document = Document("d")
    document.apply_ready([chain(9_000)])
    state = document.diff()
    for clock in range(9_000, 10_000):
        update = chain(1, start=clock)
        document.check_nesting(parse(update))
        document.apply_ready([update])
    with pytest.raises(NestingUnknown):  # it may be less: only compaction can tell
        document.check_nesting(parse(chain(1, start=10_000)))
    document.check_nesting(parse(b"\1\1\7" + uint(10_000) + b"\x84\7" + uint(9_999) + b"\1a\0"))  # a letter is fine

    measured = Document("d")
    measured.load(Snapshot(1, document.diff(), {}, 0, nesting=10_000))
    with pytest.raises(BadUpdate, match="deep"):
        measured.check_nesting(parse(chain(1, start=10_000)))
    shallow = Document("d")
    shallow.load(Snapshot(1, state, {}, 0, nesting=9_000))
    shallow.check_nesting(parse(chain(1, start=9_000)))

"""Chains of numbers: whatever of a room's events is there, it shows whether it is all."""

from hypothesis import given
from hypothesis import strategies as st

from hub.cluster.chain import Entry, is_complete, read_offset, write_offset

numbers = st.lists(st.integers(1, 10**6), unique=True, max_size=8).map(sorted)
positions = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=8)


def chain(numbers: list[int]) -> list[Entry]:
    return [Entry(number, before, b"%d" % number) for before, number in zip([0, *numbers], numbers, strict=False)]


@given(numbers, st.data())
def test_events_are_complete_if_and_only_if_none_above_the_number_is_missing(
    kept: list[int], data: st.DataObject
) -> None:
    above = data.draw(st.sampled_from([0, *kept]) | st.integers(0, 10**6))
    there = [entry for entry in chain(kept) if entry.number > above]
    lost = data.draw(st.sets(st.sampled_from(there))) if there else set()
    found = [entry for entry in there if entry not in lost]
    # Events below the number do not matter, unless one of them is the only witness of where the chain begins.
    assert is_complete(above, kept[-1] if kept else 0, found) == (not lost)


def test_a_number_that_was_given_without_an_event_is_a_hole() -> None:
    assert not is_complete(5, 9, [])
    assert not is_complete(5, 9, [Entry(7, 5, b"")])
    assert is_complete(9, 9, [])


def test_a_number_that_is_forgotten_is_a_hole_for_who_has_not_heard_everything_up_to_it() -> None:
    assert is_complete(5, -5, [])
    assert not is_complete(5, -6, [])
    assert is_complete(5, -6, [], heard=6)
    assert is_complete(5, 9, [Entry(9, -5, b"")])
    assert not is_complete(5, 9, [Entry(9, -6, b"")])
    assert is_complete(5, 9, [Entry(9, -6, b"")], heard=6)
    assert not is_complete(5, 9, [Entry(9, 6, b"")], heard=6)  # there is an event, and it was not heard
    assert not is_complete(5, 9, [Entry(7, 5, b""), Entry(9, -7, b"")])


@given(positions)
def test_an_offset_is_read_as_it_was_written(positions: list[int]) -> None:
    assert read_offset(write_offset(positions), len(positions)) == positions


@given(st.text(max_size=40) | st.none() | st.integers() | st.lists(st.text()), st.integers(1, 4))
def test_whatever_a_client_sends_as_an_offset_is_positions_or_nothing(text: object, shards: int) -> None:
    read = read_offset(text, shards)
    assert read is None or (len(read) == shards and all(0 <= position < 2**63 for position in read))


def test_an_offset_of_another_number_of_shards_is_none() -> None:
    assert read_offset("1.2", 3) is None
    assert read_offset("1." * 10_000, 3) is None
    assert read_offset("1.-2", 2) is None
    assert read_offset("1.2_0", 2) is None
    assert read_offset("\u0661.2", 2) is None

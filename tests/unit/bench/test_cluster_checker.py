"""The checker of histories finds nothing in a good one, and in a bad one what is wrong with it."""

import random

from hypothesis import assume, given
from hypothesis import strategies as st

from load_tests.bench.cluster.checker import Finding, Wrong, check
from load_tests.bench.cluster.history import (
    Acknowledged,
    AnyRecord,
    Connected,
    Disconnected,
    Ended,
    Fault,
    Got,
    Joined,
    Joining,
    Leaving,
    Left,
    Ordered,
    Refused,
    Sending,
    read_lines,
    write_line,
)
from load_tests.bench.cluster.stretches import End, Stretch, stretches
from tests.support.invented_history import invent

seeds = st.integers(0, 2**32)
choices = st.randoms(use_true_random=False)


def wrongs(history: list[AnyRecord]) -> set[Wrong]:
    return {finding.wrong for finding in check(history).findings}


def runs(history: list[AnyRecord], *, at_least: int) -> list[Stretch]:
    """Stretches with so many receipts."""
    found = [one for one in stretches(history) if isinstance(one, Stretch)]
    return [one for one in found if len(one.received) >= at_least]


@given(seeds)
def test_nothing_is_found_in_a_good_history(seed: int) -> None:
    verdict = check(invent(seed))
    assert verdict.findings == []
    assert verdict.counts["received"] > 0


@given(seeds)
def test_a_history_is_the_same_after_writing_and_reading(seed: int) -> None:
    history = invent(seed)
    assert list(read_lines([write_line(record) for record in history])) == history


@given(seeds, choices)
def test_one_event_that_is_taken_out_of_a_run_is_found_as_lost(seed: int, draw: random.Random) -> None:
    history = invent(seed)
    candidates = runs(history, at_least=3)
    assume(candidates)
    stretch = draw.choice(candidates)
    taken = draw.choice(stretch.received[1:-1])
    del history[taken.line]
    [finding] = check(history).findings
    assert (finding.wrong, finding.client, finding.room) == (Wrong.LOST, stretch.client, stretch.room)
    assert finding.events == (taken.id,)


@given(seeds, choices)
def test_one_event_that_comes_twice_is_found_as_doubled(seed: int, draw: random.Random) -> None:
    history = invent(seed)
    candidates = runs(history, at_least=1)
    assume(candidates)
    stretch = draw.choice(candidates)
    twice = draw.choice(stretch.received)
    # Somewhere among what the stretch has still to receive, or at once.
    again = draw.choice([one for one in stretch.received if one.line >= twice.line])
    history.insert(again.line + 1, history[twice.line])
    [finding] = check(history).findings
    assert (finding.wrong, finding.client, finding.events) == (Wrong.DOUBLED, stretch.client, (twice.id,))


@given(seeds, choices)
def test_two_events_that_change_places_are_found_as_out_of_order(seed: int, draw: random.Random) -> None:
    history = invent(seed)
    candidates = runs(history, at_least=2)
    assume(candidates)
    stretch = draw.choice(candidates)
    first, second = sorted(draw.sample(range(len(stretch.received)), 2))
    one, other = stretch.received[first].line, stretch.received[second].line
    history[one], history[other] = history[other], history[one]
    findings = check(history).findings
    assert {finding.wrong for finding in findings} == {Wrong.DISORDERED}
    assert stretch.received[first].id in findings[0].events


@given(seeds, choices)
def test_a_run_that_ends_before_the_end_of_the_room_is_found_as_lost(seed: int, draw: random.Random) -> None:
    history = invent(seed)
    candidates = [one for one in runs(history, at_least=2) if one.end is End.STILL_IN]
    assume(candidates)
    stretch = draw.choice(candidates)
    del history[stretch.received[-1].line]
    assert wrongs(history) == {Wrong.LOST}


@given(seeds, choices)
def test_what_comes_after_leaving_is_found(seed: int, draw: random.Random) -> None:
    history = invent(seed)
    candidates = [one for one in runs(history, at_least=1) if one.end is End.LEFT]
    assume(candidates)
    stretch = draw.choice(candidates)
    history.insert(stretch.end_line, history.pop(stretch.received[-1].line))
    assert Wrong.STRAY in wrongs(history)


@given(seeds, choices)
def test_a_room_whose_order_has_an_event_twice_is_found_as_doubled(seed: int, draw: random.Random) -> None:
    history = invent(seed)
    ordered = [record for record in history if isinstance(record, Ordered)]
    assume(ordered)
    twice = draw.choice(ordered)
    history.append(Ordered(history[-1].t, twice.room, twice.id, ordered[-1].number + 1))
    [finding] = check(history).findings
    assert (finding.wrong, finding.client, finding.events) == (Wrong.DOUBLED, None, (twice.id,))


# ---------------------------------------------------------------- what is owed, and what is not


def sent(event: str, at: float, number: int, *, by: int = 9) -> list[AnyRecord]:
    return [
        Sending(at, by, "red", event),
        Ordered(at + 0.1, "red", event, number),
        Acknowledged(at + 0.2, by, "red", event, number),
    ]


def got(event: str, at: float) -> Got:
    return Got(at, 1, "red", event, 0)


CONNECT = Connected(0.0, 1, recovered=False)
ENTER: list[AnyRecord] = [CONNECT, Joining(1.0, 1, "red"), Joined(2.0, 1, "red")]


def events_of(history: list[AnyRecord]) -> list[tuple[Wrong, tuple[str, ...]]]:
    return [(finding.wrong, finding.events) for finding in check(history).findings]


def test_what_was_sent_before_the_join_was_acknowledged_is_not_owed() -> None:
    history = [CONNECT, Joining(1.0, 1, "red"), *sent("a", 1.5, 1), Joined(2.0, 1, "red"), *sent("b", 3.0, 2)]
    assert events_of([*history, got("b", 4.0), Ended(9.0, 1, connected=True)]) == []


def test_what_was_sent_after_the_join_was_acknowledged_is_owed_before_the_first_receipt() -> None:
    history = [*ENTER, *sent("a", 3.0, 1), *sent("b", 4.0, 2), got("b", 5.0), Left(6.0, 1, "red")]
    assert events_of(history) == [(Wrong.LOST, ("a",))]


def test_a_member_that_gets_nothing_until_the_end_has_lost_it() -> None:
    history = [*ENTER, *sent("a", 3.0, 1)]
    assert events_of([*history, Ended(9.0, 1, connected=True)]) == [(Wrong.LOST, ("a",))]
    assert events_of([*history, Ended(9.0, 1, connected=False)]) == []


def test_what_comes_after_the_last_receipt_is_not_owed_before_a_reconnect_that_tells() -> None:
    history = [*ENTER, *sent("a", 3.0, 1), got("a", 3.5), *sent("b", 4.0, 2), Disconnected(5.0, 1, "transport close")]
    told, recovered = Connected(6.0, 1, recovered=False), Connected(6.0, 1, recovered=True)
    rest = [*sent("c", 7.0, 3), got("c", 8.0), Ended(9.0, 1, connected=True)]
    assert events_of([*history, told, Joining(6.5, 1, "red"), Joined(6.6, 1, "red"), *rest]) == []
    assert events_of([*history, recovered, *rest]) == [(Wrong.LOST, ("b",))]
    assert events_of([*history, recovered, got("b", 6.5), *rest]) == []


def test_what_comes_after_a_leave_was_asked_for_is_not_owed() -> None:
    history = [*ENTER, *sent("a", 3.0, 1), got("a", 3.5), Leaving(4.0, 1, "red"), *sent("b", 4.1, 2)]
    assert events_of([*history, Ended(9.0, 1, connected=True)]) == []


def test_a_join_that_was_not_acknowledged_before_a_recovered_reconnect_begins_anew() -> None:
    history = [CONNECT, Joining(1.0, 1, "red"), *sent("a", 1.5, 1), got("a", 1.8), *sent("b", 2.0, 2)]
    again = [Connected(3.0, 1, recovered=True), Joining(3.1, 1, "red"), Joined(3.2, 1, "red"), *sent("c", 4.0, 3)]
    assert events_of([*history, *again, got("c", 5.0), Ended(9.0, 1, connected=True)]) == []


def test_an_own_message_may_come_or_not() -> None:
    own = sent("mine", 3.0, 1, by=1)
    assert events_of([*ENTER, *own, Ended(9.0, 1, connected=True)]) == []
    verdict = check([*ENTER, *own, got("mine", 4.0), Ended(9.0, 1, connected=True)])
    assert verdict.findings == []
    assert verdict.counts["own messages that came back"] == 1


def test_what_redis_has_lost_may_only_be_followed_by_being_told() -> None:
    history = [*ENTER, *sent("a", 3.0, 1), got("a", 3.1), got("gone", 3.2)]
    later = [*sent("b", 5.0, 2), got("b", 6.0), Ended(9.0, 1, connected=True)]
    assert events_of([*history, *later]) == [(Wrong.DISORDERED, ("gone",))]
    told: list[AnyRecord] = [Connected(4.0, 1, recovered=False), Joining(4.1, 1, "red"), Joined(4.2, 1, "red")]
    assert events_of([*history, *told, *later]) == []


def test_an_acknowledged_message_that_is_never_published_is_found_unless_a_node_died_with_it() -> None:
    history: list[AnyRecord] = [Sending(1.0, 9, "red", "a"), Acknowledged(1.1, 9, "red", "a", 1)]
    assert events_of(history) == [(Wrong.NEVER_PUBLISHED, ("a",))]
    assert events_of([*history, Fault(1.2, 1, "cut", "")]) == [(Wrong.NEVER_PUBLISHED, ("a",))]
    verdict = check([*history, Fault(1.2, 1, "kill node", "")])
    assert verdict.findings == []
    assert verdict.counts["stored, and never published (a hole in seq)"] == 1


def test_a_member_that_is_refused_as_one_who_is_not_in_the_room_is_found() -> None:
    refused = Refused(3.0, 1, "room:send", "red", "forbidden")
    assert [f.wrong for f in check([*ENTER, refused, Left(5.0, 1, "red")]).findings] == [Wrong.NOT_IN]
    assert check([*ENTER, Left(2.5, 1, "red"), refused]).findings == []


def test_a_finding_says_where_its_stretch_is_in_the_history() -> None:
    history = [*ENTER, *sent("a", 3.0, 1), *sent("b", 4.0, 2), got("b", 5.0), Left(6.0, 1, "red")]
    [finding] = check(history).findings
    assert finding == Finding(Wrong.LOST, "red", 1, ("a",), 1, len(history) - 1)


def test_recovered_and_told_are_counted_after_the_first_connect() -> None:
    counts = check([CONNECT, Connected(1.0, 1, recovered=True), Connected(2.0, 1, recovered=False)]).counts
    assert (counts["recovered"], counts["told"]) == (1, 1)

"""The checker of presence finds nothing in a good history, and in a bad one what is wrong with it."""

import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from load_tests.bench.presence.checker import Wrong, check, merged
from load_tests.bench.presence.history import (
    AnyRecord,
    Coming,
    Fault,
    Gone,
    Said,
    Saying,
    Seen,
    Still,
    There,
    Unwatching,
    Watching,
    Why,
    read_history,
    write_history,
)
from tests.support.invented_presence import invent

seeds = st.integers(0, 2**32)
choices = st.randoms(use_true_random=False)


def wrongs(history: list[AnyRecord]) -> set[Wrong]:
    return {finding.wrong for finding in check(history).findings}


def sorted_by_time(history: list[AnyRecord]) -> list[AnyRecord]:
    return sorted(history, key=lambda record: record.t)


def told(history: list[AnyRecord], status: str) -> list[Seen]:
    return [one for one in history if isinstance(one, Seen) and one.told and one.status == status]


def away(history: list[AnyRecord]) -> bool:
    """Whether a watcher is: what happens meanwhile is owed only if it still holds when that is back."""
    return any(isinstance(one, Unwatching) for one in history)


def but(seen: Seen, **changed: object) -> Seen:
    return msgspec.structs.replace(seen, **changed)


# ---------------------------------------------------------------- mutants


@given(seeds)
def test_nothing_is_found_in_a_good_history(seed: int) -> None:
    verdict = check(invent(seed))
    assert verdict.findings == []
    assert verdict.counts["shown as gone"] > 0


def test_a_history_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    write_history(invent(1), tmp_path / "history.jsonl")
    assert read_history(tmp_path / "history.jsonl") == invent(1)


@given(seeds, choices)
def test_a_departure_that_is_not_told_is_found_as_missing(seed: int, draw: random.Random) -> None:
    history = invent(seed)
    assume(not away(history))
    taken = draw.choice(told(history, "offline"))
    history.remove(taken)
    missing = [one for one in check(history).findings if one.wrong is Wrong.MISSING]
    assert [(one.watcher, one.person) for one in missing] == [(taken.w, taken.p)]


@given(seeds, choices)
def test_a_departure_that_is_told_too_late_is_found(seed: int, draw: random.Random) -> None:
    history = invent(seed)
    taken = draw.choice(told(history, "offline"))
    ended = max(one.t for one in history if isinstance(one, Gone) and one.p == taken.p and one.t < taken.t)
    comes = [one.t for one in history if isinstance(one, Coming) and one.p == taken.p and one.t > ended]
    late = ended + 8_200.0
    assume(not away(history))
    assume(not comes or comes[0] > late)
    history[history.index(taken)] = but(taken, t=late)
    assert wrongs(sorted_by_time(history)) == {Wrong.LATE}


@given(seeds, choices)
def test_a_state_that_is_told_twice_is_found(seed: int, draw: random.Random) -> None:
    history = invent(seed)
    twice = draw.choice(told(history, "offline") + told(history, "online"))
    history.insert(history.index(twice) + 1, twice)
    [finding] = check(history).findings
    assert (finding.wrong, finding.watcher, finding.person) == (Wrong.DOUBLED, twice.w, twice.p)


@given(seeds, choices)
def test_somebody_who_is_there_and_shown_as_gone_is_found(seed: int, draw: random.Random) -> None:
    history = invent(seed)
    # Two seconds after the connection stood, and it stands for three at least.
    there = draw.choice([one for one in history if isinstance(one, There)])
    at = there.t + 2_500.0
    assume(not away(history))
    before = max((one for one in told(history, "online") if one.p == there.p and one.t < at), key=lambda one: one.t)
    after = [one.version for one in told(history, "offline") if one.p == there.p and one.t > at]
    history.append(but(before, t=at, version=min(after) - 0.5, status="offline", devices=()))
    assert Wrong.FALSE in wrongs(sorted_by_time(history))


@given(seeds, choices)
def test_somebody_who_is_gone_and_shown_as_there_is_found(seed: int, draw: random.Random) -> None:
    history = invent(seed)
    assume(not away(history))
    gone = draw.choice(told(history, "offline"))
    history.append(but(gone, t=gone.t + 1.0, version=gone.version + 0.5, status="online"))
    assert Wrong.RISEN in wrongs(sorted_by_time(history))


@given(seeds, choices)
def test_a_return_that_is_not_told_is_found(seed: int, draw: random.Random) -> None:
    history = invent(seed)
    taken = draw.choice(told(history, "online"))
    history.remove(taken)
    found = [one for one in check(history).findings if one.wrong is Wrong.NOT_BACK]
    assert [(one.watcher, one.person) for one in found] == [(taken.w, taken.p)]


@given(seeds, choices)
def test_a_state_that_is_told_again_is_found(seed: int, draw: random.Random) -> None:
    history = invent(seed)
    twice = draw.choice(told(history, "offline"))
    history.insert(history.index(twice) + 1, but(twice, version=twice.version + 0.5))
    [finding] = check(history).findings
    assert (finding.wrong, finding.watcher, finding.person) == (Wrong.AGAIN, twice.w, twice.p)


# ---------------------------------------------------------------- what is owed, and what is not


WATCHED: list[AnyRecord] = [
    Watching(0.0, 7, "n2", recovered=False),
    Seen(1.0, 7, 1, False, 10, "online", "", (("laptop", "online"),)),
]
BEGINNING: list[AnyRecord] = [Coming(-20.0, 1, 1, "laptop", "n1"), There(-10.0, 1, 1, recovered=False), *WATCHED]


def gone(at: float, why: Why = "lost", number: int = 1) -> Gone:
    return Gone(at, number, 1, why)


def back(at: float, number: int = 2, node: str = "n1") -> list[AnyRecord]:
    return [Coming(at - 20.0, number, 1, "laptop", node), There(at, number, 1, recovered=False)]


def seen(at: float, version: int, status: str = "offline") -> Seen:
    return Seen(at, 7, 1, True, version, status, "", () if status == "offline" else (("laptop", status),))


def end(at: float) -> Still:
    return Still(at)


@pytest.mark.parametrize(
    ("after", "told_after", "expected"),
    [
        (4_900.0, None, set()),
        (4_900.0, 5_000.0, {Wrong.FALSE}),
        (5_500.0, None, set()),  # in the last moment of the hold: it may have been noticed or not
        (5_500.0, 5_200.0, set()),
        (9_000.0, 5_200.0, set()),
        (9_000.0, None, {Wrong.MISSING, Wrong.AGAIN}),
    ],
)
def test_a_return_within_the_hold_shows_nothing(after: float, told_after: float | None, expected: set[Wrong]) -> None:
    history = [*BEGINNING, gone(20_000.0), *back(20_000.0 + after)]
    if told_after is not None:
        history.append(seen(20_000.0 + told_after, 11))
    if told_after is not None or after > 8_000.0:
        history.append(seen(20_000.0 + after + 100.0, 12, "online"))
    assert wrongs(sorted_by_time([*history, end(60_000.0)])) == expected


def test_the_lease_of_a_killed_node_is_the_hold_of_its_people() -> None:
    killed: list[AnyRecord] = [*BEGINNING, Fault(20_000.0, "kill node", "n1"), gone(20_005.0)]
    moved = [*killed, *back(23_000.0, node="n2")]
    assert wrongs([*moved, end(60_000.0)]) == set()
    assert wrongs([*moved, seen(24_600.0, 11), seen(24_700.0, 12, "online"), end(60_000.0)]) == {Wrong.FALSE}
    assert wrongs([*killed, seen(27_900.0, 11), end(60_000.0)]) == set()
    assert wrongs([*killed, seen(28_100.0, 11), end(60_000.0)]) == {Wrong.LATE}
    assert wrongs([*killed, seen(25_000.0, 11), seen(27_000.0, 12, "online"), seen(27_500.0, 13), end(60_000.0)]) == {
        Wrong.RISEN
    }


def test_who_is_sent_away_is_held_for_longer() -> None:
    drained = [*BEGINNING, gone(20_000.0, "sent away")]
    assert wrongs([*drained, *back(33_000.0, node="n2"), end(70_000.0)]) == set()
    assert wrongs([*drained, seen(27_000.0, 11), end(70_000.0)]) == {Wrong.FALSE}
    assert wrongs([*drained, seen(40_000.0, 11), end(70_000.0)]) == set()
    assert wrongs([*drained, end(70_000.0)]) == {Wrong.MISSING, Wrong.UNTRUE}


def test_the_people_of_another_node_are_there_when_one_is_killed() -> None:
    history = [*BEGINNING, Fault(20_000.0, "kill node", "n3"), seen(26_000.0, 11), end(60_000.0)]
    assert wrongs(history) == {Wrong.FALSE, Wrong.UNTRUE}


def test_a_node_that_stood_still_for_long_has_its_people_gone_once_and_back_once() -> None:
    stopped: list[AnyRecord] = [*BEGINNING, Fault(20_000.0, "stop node", "n1")]
    goes_on: list[AnyRecord] = [Fault(32_000.0, "stop node", "n1", over=True), gone(32_300.0)]
    returned = [*back(33_500.0), seen(33_700.0, 12, "online"), end(60_000.0)]
    assert wrongs([*stopped, seen(27_000.0, 11), *goes_on, *returned]) == set()
    assert wrongs([*stopped, *goes_on, *returned]) == {Wrong.MISSING, Wrong.AGAIN}
    twice = [seen(32_200.0, 12, "online"), seen(33_000.0, 13), *back(33_500.0), seen(33_700.0, 14, "online")]
    assert Wrong.FALSE in wrongs([*stopped, seen(27_000.0, 11), *goes_on[:1], *twice, gone(36_000.0), end(60_000.0)])


def test_a_node_that_stood_still_for_a_moment_loses_nobody() -> None:
    history: list[AnyRecord] = [*BEGINNING, Fault(20_000.0, "stop node", "n1")]
    history.append(Fault(22_000.0, "stop node", "n1", over=True))
    assert wrongs([*history, end(60_000.0)]) == set()
    assert wrongs([*history, seen(22_100.0, 11), seen(22_500.0, 12, "online"), end(60_000.0)]) == {Wrong.FALSE}


def test_a_second_device_keeps_somebody_there() -> None:
    both = (("laptop", "online"), ("phone", "online"))
    history: list[AnyRecord] = [
        *BEGINNING,
        Coming(5_000.0, 9, 1, "phone", "n2"),
        There(5_010.0, 9, 1, recovered=False),
        but(seen(5_100.0, 11, "online"), devices=both),
        Fault(20_000.0, "kill node", "n1"),
    ]
    one_left = but(seen(26_000.0, 12, "online"), devices=(("phone", "online"),))
    assert wrongs([*history, one_left, end(60_000.0)]) == set()
    assert wrongs([*history, end(60_000.0)]) == {Wrong.UNTRUE}
    assert Wrong.FALSE in wrongs([*history, seen(26_000.0, 12), end(60_000.0)])


def test_while_redis_is_away_nothing_is_owed_and_nothing_false_is_excused() -> None:
    away: list[AnyRecord] = [Fault(20_000.0, "redis restarted", ""), gone(20_500.0)]
    history = [*BEGINNING, *away, Fault(22_000.0, "redis restarted", "", over=True)]
    assert wrongs([*history, seen(36_000.0, 11), end(60_000.0)]) == set()
    assert wrongs([*history, end(60_000.0)]) == {Wrong.MISSING, Wrong.UNTRUE}
    stays: list[AnyRecord] = [*BEGINNING, away[0], Fault(22_000.0, "redis restarted", "", over=True)]
    assert wrongs([*stays, seen(23_000.0, 11), seen(24_000.0, 12, "online"), end(60_000.0)]) == {Wrong.FALSE}


def test_a_redis_that_lost_everything_neither_tells_nor_answers_that_somebody_is_gone_who_is_there() -> None:
    history = [*BEGINNING, Fault(20_000.0, "redis emptied", ""), Fault(22_000.0, "redis emptied", "", over=True)]
    again: list[AnyRecord] = [Watching(22_500.0, 7, "n2", recovered=False), but(seen(22_500.0, 0), told=False)]
    online = seen(24_000.0, 12, "online")
    assert wrongs([*history, online, end(60_000.0)]) == set()
    assert wrongs([*history, *again, online, end(60_000.0)]) == {Wrong.FALSE}
    assert Wrong.FALSE in wrongs([*history, seen(23_000.0, 11), online, end(60_000.0)])
    assert Wrong.NOT_BACK in wrongs([*history, *again, end(60_000.0)])


def test_who_is_seven_seconds_in_coming_may_be_shown_as_gone_meanwhile_and_then_as_there() -> None:
    history: list[AnyRecord] = [*BEGINNING, gone(20_000.0), Coming(22_000.0, 2, 1, "laptop", "n1"), seen(25_900.0, 11)]
    online = seen(29_000.0, 12, "online")
    assert wrongs([*history, online, There(29_001.0, 2, 1, recovered=False), end(60_000.0)]) == set()
    before: list[AnyRecord] = [*history[:-1], There(23_000.0, 2, 1, recovered=False), Gone(23_100.0, 2, 1, "left")]
    assert wrongs([*before, seen(28_200.0, 11), online, seen(30_000.0, 13), end(60_000.0)]) == {Wrong.RISEN}
    refused: list[AnyRecord] = [*history[:-1], Gone(24_000.0, 2, 1, "refused"), history[-1]]
    assert wrongs([*refused, online, seen(30_000.0, 13), end(60_000.0)]) == {Wrong.RISEN}


def test_who_left_while_redis_lost_everything_is_held_by_the_node_that_remembers_them() -> None:
    emptied = Fault(20_000.0, "redis emptied", "")
    over = Fault(22_000.0, "redis emptied", "", over=True)
    left: list[AnyRecord] = [*BEGINNING, emptied, gone(21_000.0, "left"), over]
    assert wrongs([*left, seen(25_000.0, 11), end(60_000.0)]) == {Wrong.FALSE}
    assert wrongs([*left, seen(26_500.0, 11), end(60_000.0)]) == set()
    died: list[AnyRecord] = [*BEGINNING, emptied, Fault(21_000.0, "kill node", "n1"), over]
    assert wrongs([*died, seen(23_000.0, 11), end(60_000.0)]) == set()


def test_who_is_shown_as_there_because_of_the_hold_is_not_shown_so_for_a_return_under_way() -> None:
    history: list[AnyRecord] = [
        *BEGINNING,
        Fault(20_000.0, "redis emptied", ""),
        Fault(22_000.0, "redis emptied", "", over=True),
        gone(22_100.0),
        Coming(23_000.0, 2, 1, "laptop", "n1"),
        seen(23_500.0, 11, "online"),
        seen(27_500.0, 12),
        There(27_900.0, 2, 1, recovered=False),
        seen(28_000.0, 13, "online"),
    ]
    assert wrongs([*history, end(60_000.0)]) == set()
    early = [but(one, t=26_000.0) if one == seen(27_500.0, 12) else one for one in history]
    assert wrongs([*early, end(60_000.0)]) == {Wrong.FALSE}


def test_a_watcher_who_is_recovered_is_owed_what_it_missed() -> None:
    away: list[AnyRecord] = [*BEGINNING, gone(20_000.0), Unwatching(22_000.0, 7)]
    recovered = [*away, Watching(40_000.0, 7, "n3", recovered=True)]
    assert wrongs([*recovered, seen(40_001.0, 11), end(60_000.0)]) == set()
    assert wrongs([*recovered, end(60_000.0)]) == {Wrong.MISSING, Wrong.UNTRUE}
    anew: list[AnyRecord] = [*away, Watching(40_000.0, 7, "n3", recovered=False)]
    assert wrongs([*anew, but(seen(40_001.0, 11), told=False), end(60_000.0)]) == set()


def test_what_another_diff_has_overtaken_is_no_fault() -> None:
    history = [*BEGINNING, gone(20_000.0), *back(29_000.0), seen(25_500.0, 11)]
    late = [seen(29_100.0, 13, "online"), but(seen(29_150.0, 12, "online"), devices=())]
    verdict = check(sorted_by_time([*history, *late, end(60_000.0)]))
    assert verdict.findings == []
    assert verdict.counts["diffs that another one had overtaken"] == 1


def test_an_acknowledged_status_is_shown_when_all_is_still() -> None:
    said: list[AnyRecord] = [*BEGINNING, Saying(5_000.0, 1, "laptop", "busy", "reads"), Said(5_010.0, 1)]
    right = but(seen(5_200.0, 11, "busy"), text="reads")
    assert wrongs([*said, right, end(60_000.0)]) == set()
    assert wrongs([*said, end(60_000.0)]) == {Wrong.UNTRUE}
    assert wrongs([*said, but(right, text=""), end(60_000.0)]) == {Wrong.UNTRUE}
    assert wrongs([*said[:-1], end(60_000.0)]) == set()  # not acknowledged: it may have been lost


def test_how_long_it_took_is_counted_from_the_death_of_the_node() -> None:
    history = [*BEGINNING, Fault(20_000.0, "kill node", "n1"), gone(20_400.0), seen(26_000.0, 11), end(60_000.0)]
    assert check(history).gone_ms == {"node killed": [6_000.0]}


def test_verdicts_of_several_clusters_are_one() -> None:
    history = [*BEGINNING, Fault(20_000.0, "kill node", "n1"), gone(20_400.0), seen(26_000.0, 11), end(60_000.0)]
    both = merged([check(history), check([*BEGINNING, seen(20_000.0, 11), end(60_000.0)])])
    assert both.wrong == {Wrong.FALSE: 1, Wrong.UNTRUE: 1}
    assert both.gone_ms["node killed"] == [6_000.0]
    assert both.counts["states asked for"] == 2


def test_a_finding_says_when_and_where_in_the_history() -> None:
    history = [*BEGINNING, seen(20_000.0, 11), end(60_000.0)]
    found = {finding.wrong: finding for finding in check(history).findings}
    assert found[Wrong.FALSE].at_ms == 20_000.0
    assert found[Wrong.FALSE].line == history.index(seen(20_000.0, 11))

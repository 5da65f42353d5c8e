"""What the report of `bench presence` says of a verdict, and which lines of a history it shows for a finding."""

from load_tests.bench.presence.checker import Finding, Verdict, Wrong, check
from load_tests.bench.presence.history import AnyRecord, Coming, Fault, Gone, Seen, Still, There, Watching
from load_tests.bench.presence.pace import Pace
from load_tests.bench.presence.report import excerpt, flap_row, pace_rows, store_rows, to_json, verdict_rows
from load_tests.bench.presence.store_cost import StoreCost


def seen(at: float, person: int, version: int, status: str) -> Seen:
    devices = () if status == "offline" else (("laptop", status),)
    return Seen(at, 7, person, True, version, status, "", devices)


HISTORY: list[AnyRecord] = [
    Watching(-30.0, 7, "n2", recovered=False),
    Coming(-20.0, 1, 1, "laptop", "n1"),
    There(-10.0, 1, 1, recovered=False),
    Coming(-20.0, 2, 2, "laptop", "n1"),
    seen(0.0, 1, 10, "online"),
    Fault(10_000.0, "kill node", "n3"),
    seen(20_000.0, 1, 11, "offline"),
    Gone(30_000.0, 1, 1, "left"),
    Still(60_000.0),
]


def test_an_excerpt_shows_the_person_what_was_shown_and_the_faults() -> None:
    [finding] = check(HISTORY).findings
    assert finding.wrong is Wrong.FALSE
    lines = "\n".join(excerpt(HISTORY, finding))
    for shown in ('"k":"there"', "kill node", '"version":11', '"why":"left"', '"k":"watching"'):
        assert shown in lines
    assert '"p":2' not in lines


def test_rows_miss_their_target_for_anything_wrong_and_for_nothing_else() -> None:
    good = Verdict()
    good.gone_ms["node killed"] += [6_000.0, 7_900.0]
    good.gone_ms["left"] += [15_000.0]
    assert all(row.passes_gate for row in verdict_rows(good))
    bad = Verdict([Finding(Wrong.DOUBLED, 7, 1, 0.0)])
    bad.gone_ms["node stopped"] += [12_000.0]
    missed = {row.name: row.value for row in verdict_rows(bad) if not row.passes_gate}
    assert missed == {"told twice": 1, "node stopped, shown as gone: last of 1": 12_000.0}


def test_what_was_visible_while_people_flapped_is_counted_until_all_is_still_again() -> None:
    history: list[AnyRecord] = [
        seen(0.0, 1, 10, "online"),
        Fault(1_000.0, "flapping", "100 people"),
        seen(2_000.0, 1, 11, "offline"),
        Fault(3_000.0, "flapping", "100 people", over=True),
        seen(9_000.0, 2, 12, "offline"),
        Still(20_000.0),
        seen(30_000.0, 1, 13, "online"),
        Still(40_000.0),
    ]
    [row] = flap_row(history)
    assert (row.value, row.passes_gate) == (2, False)
    assert list(flap_row(HISTORY)) == []


def test_the_pace_has_the_target_of_its_window() -> None:
    coalesced, at_once = (list(pace_rows(Pace(window, [5.0] * 98 + [150.0] * 2))) for window in (200.0, 0.0))
    assert [row.passes_gate for row in coalesced] == [True, True]
    assert [row.passes_gate for row in at_once] == [True, False]


def test_the_store_is_judged_by_its_usual_read_and_by_the_memory_of_a_user() -> None:
    rows = list(store_rows(StoreCost([2.0] * 9 + [50.0], 10_000, 2_000.0), 500))
    assert [row.passes_gate for row in rows] == [True, True, False]


def test_the_file_names_every_finding() -> None:
    expected = {"wrong": Wrong.FALSE.value, "watcher": 7, "person": 1, "at_ms": 20_000.0}
    assert to_json(check(HISTORY))["findings"] == [expected]

"""What the report of `bench cluster` says of a verdict, and which lines of a history it shows for a finding."""

from load_tests.bench.cluster.checker import Finding, Verdict, Wrong, check
from load_tests.bench.cluster.history import AnyRecord, Connected, Ended, Fault, Got, Joined, Joining, Ordered, Sending
from load_tests.bench.cluster.report import excerpt, holds, storm_rows, to_json
from load_tests.bench.cluster.storm import Storm

HISTORY: list[AnyRecord] = [
    Connected(0.0, 1, recovered=False),
    Joining(1.0, 1, "red"),
    Joined(2.0, 1, "red"),
    Joining(2.1, 3, "red"),
    Joined(2.2, 3, "red"),
    Sending(3.0, 2, "red", "lost"),
    Ordered(3.1, "red", "lost", 1),
    Got(3.2, 3, "red", "lost", 1),
    Fault(3.5, 1, "cut pub/sub"),
    Sending(4.0, 2, "red", "kept"),
    Sending(4.0, 2, "blue", "elsewhere"),
    Ordered(4.1, "red", "kept", 2),
    Got(4.2, 1, "red", "kept", 2),
    Got(4.3, 3, "red", "kept", 2),
    Ended(9.0, 1, connected=True),
]


def storm(**more: object) -> Storm:
    given: dict[str, object] = {"history": [], "done": {"cut": 2}, "in_vain": {}, "seconds": 1.0, "settled": True}
    return Storm(**(given | more))  # type: ignore[arg-type]


def test_an_excerpt_shows_what_was_lost_what_came_instead_and_the_fault() -> None:
    [finding] = check(HISTORY).findings
    lines = "\n".join(excerpt(HISTORY, finding))
    for shown in ('"k":"send","t":3.0', '"k":"order","t":3.1', "cut pub/sub", '"id":"kept","seq":2', '"k":"joined"'):
        assert shown in lines
    assert "elsewhere" not in lines
    assert '"c":3' not in lines


def test_an_excerpt_of_a_long_stretch_is_short() -> None:
    many: list[AnyRecord] = [Got(float(number), 1, "red", f"1-{number}", number) for number in range(1000)]
    assert len(excerpt(many, Finding(Wrong.DISORDERED, "red", 1, ("1-500",), 0, 999))) < 30


def test_rows_miss_their_target_for_anything_wrong_and_for_nothing_else() -> None:
    rows = {row.name: row for row in storm_rows(storm(), Verdict())}
    assert all(row.passes_gate for row in rows.values())
    verdict = Verdict([Finding(Wrong.LOST, "red", 1, ("1-1", "1-2"), 0, 9)])
    rows = {row.name: row for row in storm_rows(storm(settled=False, tracebacks=["Traceback"]), verdict)}
    assert rows["lost silently"].value == 2
    missed = {name for name, row in rows.items() if not row.passes_gate}
    assert missed == {
        "lost silently",
        "clients that did not come to rest at the end",
        "tracebacks in the nodes' logs",
    }


def test_the_promise_is_kept_only_if_nothing_was_found_and_all_came_to_rest() -> None:
    lost = Verdict([Finding(Wrong.LOST, "red", 1, ("1-1",), 0, 9)])
    assert holds(storm(), Verdict())
    assert not holds(storm(), lost)
    assert not holds(storm(settled=False), Verdict())
    assert not holds(storm(tracebacks=["Traceback"]), Verdict())


def test_the_file_names_every_finding() -> None:
    assert to_json(check(HISTORY))["findings"] == [
        {"wrong": "lost silently", "room": "red", "client": 1, "events": ["lost"]}
    ]

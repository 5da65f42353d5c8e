"""The table and the file of a bench."""

import json
from pathlib import Path

import pytest

from load_tests.bench.report import table, three_digits, write_json
from load_tests.bench.rows import Row, Target

ROWS = [
    Row("cost: hub", "µs", 4.0712),
    Row("cost: hub against Node", "x", 1.4, Target(1.35)),
    Row("memory: hub against Node", "x", 0.3, Target(0.25, at_most=True)),
    Row("echo: hub against Node", "x", 0.5, Target(1.3)),
]


def test_the_table_says_what_is_ok_what_is_missed_and_what_fails_the_gate() -> None:
    assert table(ROWS).splitlines() == [
        "| row                      | value | unit | target |                |",
        "|--------------------------|------:|------|-------:|----------------|",
        "| cost: hub                |  4.07 | µs   |        |                |",
        "| cost: hub against Node   |  1.40 | x    | ≥ 1.35 | ok             |",
        "| memory: hub against Node | 0.300 | x    | ≤ 0.25 | missed         |",
        "| echo: hub against Node   | 0.500 | x    |  ≥ 1.3 | FAILS THE GATE |",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.04567, "0.046"), (1, "1.00"), (9.996, "10.00"), (45.67, "45.7"), (1234.5, "1234"), (-2, "-2.00")],
)
def test_values_have_three_digits(value: float, text: str) -> None:
    assert three_digits(value) == text


def test_the_file_has_machine_versions_and_rows(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    write_json(path, {"cores": 2}, {"ws": "8.0"}, ROWS[:2])
    assert json.loads(path.read_text()) == {
        "machine": {"cores": 2},
        "versions": {"ws": "8.0"},
        "rows": [
            {"name": "cost: hub", "unit": "µs", "value": 4.0712, "target": None, "ok": None},
            {"name": "cost: hub against Node", "unit": "x", "value": 1.4, "target": 1.35, "ok": True},
        ],
    }

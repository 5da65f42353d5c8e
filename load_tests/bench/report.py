"""What a bench hands over: a table to read, and a file to compare with."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from load_tests.bench.rows import Row

HEADINGS = ("row", "value", "unit", "target", "")
NUMBERS = ("value", "target")
"""Aligned to the right."""


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    rules = [
        f"{'-' * (width + 1)}{':' if name in NUMBERS else '-'}" for width, name in zip(widths, HEADINGS, strict=True)
    ]
    lines = [_line(line, widths) for line in cells]
    return "\n".join([lines[0], f"|{'|'.join(rules)}|", *lines[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    columns = zip(cells, widths, HEADINGS, strict=True)
    padded = [cell.rjust(width) if name in NUMBERS else cell.ljust(width) for cell, width, name in columns]
    return f"| {' | '.join(padded)} |"


def _cells(row: Row) -> tuple[str, ...]:
    verdict = {True: "ok", False: "missed", None: ""}[row.ok]
    if not row.passes_gate:
        verdict = "FAILS THE GATE"
    return row.name, three_digits(row.value), row.unit, "" if row.target is None else str(row.target), verdict


def three_digits(value: float) -> str:
    """A value with three significant digits, and never in powers of ten."""
    if value == 0:
        return "0"
    digits = 3 - len(str(int(abs(value)))) if abs(value) >= 1 else 3
    return f"{value:.{max(digits, 0)}f}"


def write_json(path: Path, machine: Mapping[str, object], versions: Mapping[str, str], rows: Sequence[Row]) -> None:
    """``{"machine", "versions", "rows": [{"name", "unit", "value", "target", "ok"}]}``."""
    content = {"machine": machine, "versions": versions, "rows": [row.to_json() for row in rows]}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")

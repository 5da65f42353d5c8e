"""What has been measured so far, kept in a file if one is given, so that a long bench can go on where it ended."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from load_tests.bench.errors import CannotMeasure
from load_tests.bench.transport.meter import Taken


class Line(msgspec.Struct, frozen=True):
    """A value in the file."""

    run: int
    server: str
    row: str
    taken: Taken


class Results:
    """Values by run, server and row."""

    def __init__(self, path: Path | None = None, settings: Mapping[str, Any] | None = None) -> None:
        """Read ``path`` if it exists. Raises CannotMeasure if it was measured with other ``settings``."""
        self._path = path
        self._values: dict[tuple[str, str], dict[int, Taken]] = {}
        if path is None:
            return
        head = json.dumps(settings)
        if not path.exists():
            path.write_text(head + "\n")
            return
        first, *lines = path.read_text().splitlines() or [""]
        if first != head:
            raise CannotMeasure(f"{path} holds results of other settings ({first}); these are {head}")
        for line in lines:
            self._put(msgspec.json.decode(line, type=Line))

    def add(self, run: int, server: str, taken: Mapping[str, Taken]) -> None:
        """Keep what one run has measured on a server."""
        lines = [Line(run, server, row, value) for row, value in taken.items()]
        for line in lines:
            self._put(line)
        if self._path is not None:
            with self._path.open("ab") as file:
                file.writelines(msgspec.json.encode(line) + b"\n" for line in lines)

    def values(self, server: str, row: str) -> dict[int, float]:
        """By run."""
        return {run: taken.value for run, taken in self.taken(server, row).items()}

    def taken(self, server: str, row: str) -> Mapping[int, Taken]:
        """By run, with all that belongs to a value."""
        return self._values.get((server, row), {})

    def has(self, run: int, server: str, row: str) -> bool:
        """Whether this has been measured."""
        return run in self.taken(server, row)

    def _put(self, line: Line) -> None:
        self._values.setdefault((line.server, line.row), {})[line.run] = line.taken

"""Rows of a bench: a measured value, its target, and whether that is met. No I/O."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CLOSE_ENOUGH = 0.90
"""A row is ok from here on: medians of three runs on a shared machine differ by so much."""
GATE = 0.75
"""A row below this part of its target fails the gate: more than noise."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a value should be: at least ``value``, or at most if ``at_most``."""

    value: float
    at_most: bool = False

    def attained(self, value: float) -> float:
        """The part of the target that a value reaches; 1 or more is all of it."""
        if self.at_most:
            return self.value / value if value > 0 else float("inf")
        return value / self.value

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table and of the JSON. Without a target it is there to be read."""

    name: str
    unit: str
    value: float
    target: Target | None = None

    @property
    def ok(self) -> bool | None:
        """Whether the value is within 10 % of the target; ``None`` without a target."""
        return None if self.target is None else self.target.attained(self.value) >= CLOSE_ENOUGH

    @property
    def passes_gate(self) -> bool:
        """Whether the value reaches at least 75 % of the target. Without a target always."""
        return self.target is None or self.target.attained(self.value) >= GATE

    def to_json(self) -> dict[str, Any]:
        """As in the file of ``--json``."""
        target = None if self.target is None else self.target.value
        return {"name": self.name, "unit": self.unit, "value": self.value, "target": target, "ok": self.ok}


def median_ratio(numerators: Mapping[int, float], denominators: Mapping[int, float]) -> float | None:
    """The median over runs of one value divided by another of the same run; ``None`` without a common run.

    Within a run both were measured within seconds, so what slowed the machine down slowed both.
    """
    common = numerators.keys() & denominators.keys()
    return statistics.median(numerators[run] / denominators[run] for run in common) if common else None

"""Which faults, when, and how hard: drawn from a seed, so that a schedule can be repeated. No I/O.

What a fault meets is not repeatable: who is connected where, and what is under way at that moment.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

PAUSE_S = (0.8, 2.8)
"""Between two faults. Most last longer, so that several overlap: 30 take a minute, 1000 half an hour."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to break something."""

    name: str
    weight: int
    """How often it is drawn, beside the others."""
    hold_s: tuple[float, float] = (0.0, 0.0)
    """How long before it is mended."""
    most: int = 1
    """Of what is many, at most so many at once."""


KINDS = (
    Kind("cut", 24, most=6),
    Kind("cut all", 4),
    Kind("black hole", 10, (2.0, 8.0), most=4),
    Kind("stall", 10, (0.5, 5.0), most=5),
    Kind("slow reader", 5, (3.0, 6.0), most=3),
    Kind("kill node", 8, (0.1, 1.5)),
    Kind("stop node", 6, (1.0, 8.0)),
    Kind("drain node", 6, (0.1, 1.0)),
    Kind("rolling restart", 1),
    Kind("kill redis", 3, (0.05, 2.0)),
    Kind("restart redis", 3, (0.05, 2.0)),
    Kind("cut pub/sub", 9, (0.0, 0.3), most=3),
    Kind("cut commands", 9, (0.0, 0.3), most=3),
)
"""Black holes outlast a heartbeat; a node that is stopped for more than six seconds loses its lease."""
NAMES = tuple(kind.name for kind in KINDS)


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault."""

    number: int
    kind: str
    pause_s: float
    """Since the one before."""
    hold_s: float
    count: int
    choice: int
    """Seed of what it hits, among what is there then."""


def plan(seed: int, faults: int, kinds: Sequence[str] = NAMES, pause_s: tuple[float, float] = PAUSE_S) -> list[Planned]:
    """So many faults of these kinds: first one of each in any order, then by their weights."""
    draw = random.Random(seed)
    chosen = [kind for kind in KINDS if kind.name in kinds]
    drawn = draw.sample(chosen, len(chosen))
    drawn += draw.choices(chosen, [kind.weight for kind in chosen], k=max(faults - len(chosen), 0))
    return [_planned(number, kind, draw, pause_s) for number, kind in enumerate(drawn[:faults], 1)]


def _planned(number: int, kind: Kind, draw: random.Random, pause_s: tuple[float, float]) -> Planned:
    return Planned(
        number,
        kind.name,
        pause_s=draw.uniform(*pause_s),
        hold_s=draw.uniform(*kind.hold_s),
        count=draw.randint(1, kind.most),
        choice=draw.getrandbits(32),
    )

"""What each watcher was shown of each person, sorted out of a history. No I/O."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from load_tests.bench.presence.history import AnyRecord, Person, Seen, Unwatching, Watcher, Watching


@dataclass(frozen=True, slots=True)
class Shown:
    """One state that came."""

    seen: Seen
    decided: float
    """The earliest time at which the hub can have decided it."""
    line: int


@dataclass(slots=True)
class Span:
    """A watcher from the moment at which it had a whole picture, over all reconnects that were recovered."""

    live: list[tuple[float, float]]
    """When its connection stood."""
    shown: dict[Person, list[Shown]] = field(default_factory=lambda: defaultdict(list))
    end: float = math.inf

    def next_live(self, at: float, margin_ms: float) -> float:
        """``at`` or, if the connection did not stand then, when it did again, and ``margin_ms`` later."""
        for begin, end in self.live:
            if at < begin:
                return begin + margin_ms
            if at < end:
                return at
        return math.inf


def spans(history: Sequence[AnyRecord], told_ms: float) -> dict[Watcher, list[Span]]:
    """The spans of each watcher, in order."""
    found: defaultdict[Watcher, list[Span]] = defaultdict(list)
    lost_at: dict[Watcher, float] = {}
    for line, record in enumerate(history):
        match record:
            case Watching(w=w, recovered=True) if w in found:
                found[w][-1].live.append((record.t, math.inf))
            case Watching(w=w):
                if w in found:
                    found[w][-1].end = record.t
                found[w].append(Span([(record.t, math.inf)]))
                lost_at.pop(w, None)
            case Unwatching(w=w) if w in found:
                begin, _ = found[w][-1].live[-1]
                found[w][-1].live[-1] = (begin, record.t)
                lost_at[w] = record.t
            case Seen(w=w, p=p) if w in found:
                span = found[w][-1]
                # What came soon after a recovery may have waited for it.
                waited = w in lost_at and record.t < span.live[-1][0] + told_ms
                span.shown[p].append(Shown(record, (lost_at[w] if waited else record.t) - told_ms, line))
            case _:
                pass
    return dict(found)

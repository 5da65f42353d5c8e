"""How long clients were away, and after which fault, without the delays that they put in themselves. No I/O."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from load_tests.bench.cluster.history import (
    AnyRecord,
    Attempted,
    AttemptFailed,
    Client,
    Connected,
    Disconnected,
    Fault,
)

NO_FAULT = "none yet"
SILENT = frozenset({"black hole", "stall", "slow reader", "stop node"})
"""Faults that show by a heartbeat which does not come, seconds later and after others have begun."""


@dataclass(frozen=True, slots=True)
class Absence:
    """A client was away for a while."""

    fault: str
    """The kind of the fault that began or ended last before it; of a missed heartbeat, of those that are silent."""
    recovered: bool
    """Whether it came back with its rooms and all that it had missed, or was told that it must read anew."""
    total_ms: float
    """From ``disconnect`` to ``connect``."""
    own_delay_ms: float
    """Of that, what the client waited by itself before its attempts."""

    @property
    def server_ms(self) -> float:
        """What the hub, and the way to it, took."""
        return max(self.total_ms - self.own_delay_ms, 0.0)


@dataclass(slots=True)
class _Away:
    fault: str
    since_ms: float
    waiting_since_ms: float | None
    """When the delay began that is running."""
    own_delay_ms: float = 0.0


def absences(history: Iterable[AnyRecord]) -> list[Absence]:
    """Each time that somebody was disconnected and came back."""
    found: list[Absence] = []
    away: dict[Client, _Away] = {}
    last = silent = NO_FAULT
    for record in history:
        match record:
            case Fault(kind=kind):
                last = kind
                silent = kind if kind in SILENT else silent
            case Disconnected(c=client):
                away[client] = _Away(silent if record.reason == "ping timeout" else last, record.t, record.t)
            case Attempted(c=client) if client in away:
                _waited(away[client], record.t)
            case AttemptFailed(c=client) if client in away:
                away[client].waiting_since_ms = record.t
            case Connected(c=client) if client in away:
                one = away.pop(client)
                found.append(Absence(one.fault, record.recovered, record.t - one.since_ms, one.own_delay_ms))
            case _:
                pass
    return found


def by_fault(found: Iterable[Absence]) -> Mapping[tuple[str, bool], Sequence[float]]:
    """Sorted ``server_ms`` for each fault, of the recovered and of those who were told."""
    times: defaultdict[tuple[str, bool], list[float]] = defaultdict(list)
    for one in found:
        times[one.fault, one.recovered].append(one.server_ms)
    return {key: sorted(values) for key, values in sorted(times.items())}


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value that so large a part of the sorted values does not exceed."""
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def _waited(away: _Away, at_ms: float) -> None:
    if away.waiting_since_ms is not None:
        away.own_delay_ms += at_ms - away.waiting_since_ms
        away.waiting_since_ms = None

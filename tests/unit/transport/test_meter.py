"""hub.transport.engineio.meter: counts by second, within bounds."""

from hub.transport.engineio import meter
from hub.transport.engineio.meter import Meter
from tests.support.clock import FrozenClock


def test_what_happens_within_one_second_is_one_count_by_type_and_subtype() -> None:
    clock = FrozenClock(1_000_000)
    counts = Meter(clock)
    counts.count("packetsIn")
    counts.count("bytesIn", 100)
    counts.count("rawDisconnection", subtype="ping timeout")
    clock.advance(0.999)
    counts.count("bytesIn", 11)
    counts.count("rawDisconnection", subtype="transport close")
    clock.advance(0.001)
    counts.count("bytesIn", 5)
    assert counts.take() == [
        {"timestamp": 1_000_000, "type": "packetsIn", "count": 1},
        {"timestamp": 1_000_000, "type": "bytesIn", "count": 111},
        {"timestamp": 1_000_000, "type": "rawDisconnection", "subType": "ping timeout", "count": 1},
        {"timestamp": 1_000_000, "type": "rawDisconnection", "subType": "transport close", "count": 1},
        {"timestamp": 1_001_000, "type": "bytesIn", "count": 5},
    ]
    assert counts.take() == []


def test_counts_that_nobody_takes_are_dropped_from_the_oldest() -> None:
    clock = FrozenClock(0)
    counts = Meter(clock)
    for _ in range(meter.MAX_COUNTS + 10):
        counts.count("bytesIn")
        clock.advance(1)
    taken = counts.take()
    assert len(taken) == meter.MAX_COUNTS
    assert taken[0]["timestamp"] == 10_000

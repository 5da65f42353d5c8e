"""How long a change takes to those who watch on other nodes, while nothing is broken."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from load_tests.bench.errors import CannotMeasure
from load_tests.bench.presence.company import Company
from load_tests.bench.presence.connection import CannotConnect
from load_tests.bench.presence.history import AnyRecord, Saying, Seen
from load_tests.bench.presence.people import now_ms

SPEAKERS = 100
PER_SECOND = 50.0
CHANGES = 500
WARM_UP = 50


@dataclass(frozen=True, slots=True)
class Pace:
    """What was seen."""

    coalesce_ms: float
    seen_ms: Sequence[float]
    """From ``presence:update`` to the diff at each watcher; sorted."""


async def measure_pace(company: Company, coalesce_ms: float) -> Pace:
    """Have some people change their status, one after the other, so that no two changes of one are coalesced."""
    await company.gather(SPEAKERS)
    await company.settle(2.0)
    speakers = company.firsts[:SPEAKERS]
    try:
        await _speak(company, WARM_UP, "warm up")
        since = len(company.journal.records)
        await _speak(company, CHANGES, "measured")
    except CannotConnect as error:
        raise CannotMeasure(f"a status could not be changed: {error}") from None
    await company.settle(2.0)
    seen = sorted(_delays(company.journal.records[since:]))
    if len(seen) < CHANGES:
        raise CannotMeasure(f"{CHANGES} changes were seen {len(seen)} times, of people like {speakers[0].person}")
    return Pace(coalesce_ms, seen)


async def _speak(company: Company, count: int, word: str) -> None:
    began = now_ms()
    for number in range(count):
        await asyncio.sleep(max(began + number * 1000 / PER_SECOND - now_ms(), 0.0) / 1000)
        speaker = company.firsts[number % SPEAKERS]
        company.scene.tasks.start(
            speaker.say(("busy", "dnd")[number // SPEAKERS % 2], f"{word} {number}"), name="change of status"
        )


def _delays(records: Sequence[AnyRecord]) -> list[float]:
    said: dict[tuple[int, str], float] = {}
    delays: list[float] = []
    for record in records:
        if isinstance(record, Saying):
            said[record.p, record.text] = record.t
        elif isinstance(record, Seen) and record.told and (record.p, record.text) in said:
            delays.append(record.t - said[record.p, record.text])
    return delays

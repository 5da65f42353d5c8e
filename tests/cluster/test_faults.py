"""The short form of `sparkle-hub bench cluster`: every kind of fault, and nothing lost silently, doubled or swapped."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from load_tests.bench.cache import cache_folder
from load_tests.bench.cluster.checker import check
from load_tests.bench.cluster.clients import SOURCE
from load_tests.bench.cluster.report import excerpt
from load_tests.bench.cluster.schedule import NAMES, plan
from load_tests.bench.cluster.storm import Size, Storm, raise_storm, running_cluster
from tests.e2e.conftest import need_npm_packages
from tests.support.folders import data_folder

KINDS = tuple(name for name in NAMES if name != "drain node")
"""A rolling restart drains every node."""
SEED = 1558
"""Redis dies, and links are cut, while nodes are restarted in turn; what breaks single nodes comes before that, and
what lasts long is short: half a minute in all."""
SMALL = Size(nodes=3, clients=12, rooms=4, per_second=20.0, churn=0.2)
PAUSE_S = (0.3, 0.9)


@pytest.fixture
def folder() -> Iterator[Path]:
    need_npm_packages(SOURCE)
    with data_folder() as folder:
        yield folder


async def test_every_kind_of_fault_loses_nothing_silently_and_doubles_and_swaps_nothing(folder: Path) -> None:
    storm = await _storm(folder)
    assert storm.done.keys() == set(KINDS), storm.in_vain
    verdict = check(storm.history)
    found = [(finding, excerpt(storm.history, finding)) for finding in verdict.findings]
    assert not found, "\n".join(f"{finding}\n" + "\n".join(lines) for finding, lines in found[:3])
    assert storm.settled, "some client was not connected, not in its rooms, or without an answer at the end"
    assert storm.tracebacks == []
    # It was a storm: clients came back, with all they had or told, and there was something to lose.
    assert verdict.counts["recovered"] > 0
    assert verdict.counts["recovered"] + verdict.counts["told"] >= SMALL.clients
    assert verdict.counts["received"] > 5 * verdict.counts["published"] / SMALL.rooms


async def _storm(folder: Path) -> Storm:
    async with running_cluster(folder, SEED, SMALL) as (backends, nodes):
        schedule = plan(SEED, len(KINDS), KINDS, PAUSE_S)
        return await raise_storm(folder, cache_folder(), backends, nodes, schedule, SEED, SMALL, lambda _line: None)

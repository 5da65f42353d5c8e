"""The short form of `sparkle-hub bench presence`: a node dies, and everybody on it goes offline once, but who moved."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from load_tests.bench.cluster.backends import running_backends
from load_tests.bench.presence.checker import Verdict, check
from load_tests.bench.presence.company import running_company, watchers_needed
from load_tests.bench.presence.history import AnyRecord, Seen
from load_tests.bench.presence.report import excerpt
from load_tests.bench.presence.stages import kill
from tests.support.folders import data_folder

PEOPLE, NODES, SEED = 100, 3, 6


@pytest.fixture
def folder() -> Iterator[Path]:
    with data_folder() as folder:
        yield folder


async def test_everybody_on_a_node_that_dies_is_shown_as_gone_once_and_who_moves_is_not(folder: Path) -> None:
    history = await _history(folder)
    verdict = check(history)
    assert not verdict.findings, _shown(history, verdict)
    # There was something to see: two watchers of everybody, of whom 5 moved and 5 others had a second device.
    gone = {(one.w, one.p) for one in history if isinstance(one, Seen) and one.told and one.status == "offline"}
    assert 2 * (PEOPLE - 10) <= len(gone) <= 2 * (PEOPLE - 5)
    assert max(verdict.gone_ms["node killed"]) <= 8_000.0


async def _history(folder: Path) -> list[AnyRecord]:
    (folder / "nodes").mkdir()
    async with (
        running_backends(folder, people=PEOPLE + watchers_needed(PEOPLE, NODES), rooms=1) as backends,
        running_company(folder / "nodes", backends, nodes=NODES, people=PEOPLE, seed=SEED, settings={}) as company,
    ):
        await kill(company, PEOPLE)
        return company.journal.records


def _shown(history: list[AnyRecord], verdict: Verdict) -> str:
    return "\n".join(f"{one}\n" + "\n".join(excerpt(history, one)) for one in verdict.findings[:3])

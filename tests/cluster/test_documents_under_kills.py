"""The short form of `sparkle-hub bench collab --kill`, and its control: the judge finds what is missing."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from load_tests.bench.collab.report import show
from load_tests.bench.collab.trial import HASTY_PROGRAM, HUB_PROGRAM, Size, Trial, run_trial
from load_tests.bench.collab.typists import KINDS
from tests.support.folders import data_folder

SMALL = Size(documents=4, writers=9, per_second=8.0)
SEEDS = (21, 22, 23)
"""How much is acknowledged between kills, and whether a kill finds a change before its commit, is chance: on a machine
that is slow for a while one trial shows too little, and so there is another."""
ENOUGH = 10
"""Changes that were acknowledged to each kind of client."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with data_folder() as folder:
        yield folder


async def trial(folder: Path, program: str, seed: int) -> Trial:
    (run := folder / str(seed)).mkdir()
    return await run_trial(run, folder / "cache", 8, seed, SMALL, lambda _line: None, program)


@pytest.mark.timeout(400)
async def test_no_acknowledged_change_is_missing_whoever_is_killed(folder: Path) -> None:
    acknowledged = Counter[str]()
    for seed in SEEDS:
        result = await trial(folder, HUB_PROGRAM, seed)
        assert result.holds, show(result)
        acknowledged += result.kinds
        if len(acknowledged) == len(KINDS) and min(acknowledged.values()) >= ENOUGH:
            return
    raise AssertionError(f"too little was acknowledged to prove anything: {acknowledged}")


@pytest.mark.timeout(400)
async def test_changes_that_are_acknowledged_before_the_commit_are_found_missing(folder: Path) -> None:
    for seed in SEEDS:
        if (await trial(folder, HASTY_PROGRAM, seed)).verdict.missing:
            return
    raise AssertionError("the judge has found nothing")

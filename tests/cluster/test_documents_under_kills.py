"""The short form of `sparkle-hub bench collab --kill`, and its control: the judge finds what is missing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from load_tests.bench.collab.report import show
from load_tests.bench.collab.trial import HASTY, HUB, Size, Trial, run_trial
from tests.support.folders import data_folder

SMALL = Size(documents=4, writers=9, per_second=8.0)


@pytest.fixture
def folder() -> Iterator[Path]:
    with data_folder() as folder:
        yield folder


async def trial(folder: Path, program: str) -> Trial:
    return await run_trial(folder, folder / "cache", 8, 21, SMALL, lambda _line: None, program)


@pytest.mark.timeout(240)
async def test_no_acknowledged_change_is_missing_whoever_is_killed(folder: Path) -> None:
    result = await trial(folder, HUB)
    assert result.holds, show(result)
    assert set(result.kinds) == {"socketio", "hocuspocus", "y_websocket"}
    assert min(result.kinds.values()) >= 10


@pytest.mark.timeout(240)
async def test_changes_that_are_acknowledged_before_the_commit_are_found_missing(folder: Path) -> None:
    result = await trial(folder, HASTY)
    assert result.verdict.missing

"""A data folder with databases already made (initdb takes a second), copied for each test."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.embedded.data_folder import DataFolder
from hub.embedded.stack import Stack
from tests.support.folders import data_folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """An empty folder that every user may enter, unlike tmp_path."""
    with data_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def made_folder() -> Iterator[Path]:
    with data_folder() as parent:
        path = parent / "data"

        async def make() -> None:
            with DataFolder(path) as folder:
                stack = Stack(folder, durable=False)
                try:
                    await stack.start()
                finally:
                    await stack.stop()

        loop = asyncio.new_event_loop()
        loop.run_until_complete(make())
        loop.close()
        yield path


@pytest.fixture
def data(made_folder: Path, open_folder: Path) -> Path:
    """The data folder of a hub that ran before and was stopped cleanly."""
    subprocess.run(["cp", "-a", made_folder, open_folder / "data"], check=True)  # half the time of shutil.copytree
    return open_folder / "data"

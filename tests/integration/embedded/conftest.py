"""A data folder with databases already made (initdb takes a second), copied for each test."""

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.embedded.data_folder import DataFolder
from hub.embedded.stack import Stack


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """An empty folder that every user may enter, unlike tmp_path: as root, servers run as somebody else."""
    with tempfile.TemporaryDirectory(prefix="sparkle-tests-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def made_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sparkle-tests-") as parent:
        Path(parent).chmod(0o755)
        path = Path(parent) / "data"

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

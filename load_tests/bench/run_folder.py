"""The folder that a run writes its history and logs to."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from load_tests.bench.errors import CannotMeasure

Copy = Callable[[Path, Path], None]
"""Copies what may be kept of one folder into another: tokens, keys and data of a run may not."""


@contextlib.contextmanager
def run_folder(wanted: Path | None, copy: Copy) -> Iterator[Path]:
    """Where the run is. It goes afterwards; what may be kept of it is in ``wanted`` then, if that is given.

    Raises CannotMeasure if that is not empty.
    """
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        if any(wanted.iterdir()):
            raise CannotMeasure(f"--history: {wanted} is not empty")
    folder = Path(tempfile.mkdtemp(prefix="sparkle-bench-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as nobody and has to get through
    try:
        yield folder
    finally:
        if wanted is not None:  # also when something failed: it may take an hour to come to it again
            copy(folder, wanted)
        shutil.rmtree(folder, ignore_errors=True)

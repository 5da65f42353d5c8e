"""Where databases of tests are: in memory where there is room, because making one there takes a tenth of the time."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_MEMORY = Path("/dev/shm")  # tmpfs on every Linux; in a container often of 64 MB, which is not enough
_ROOM = 1 << 30
"""Bytes that a worker's servers must find free. They took 75 MB of it; the write-ahead log could grow to most of it."""


@contextlib.contextmanager
def data_folder() -> Iterator[Path]:
    """An empty folder that every user may enter, and that goes with its content: as root, servers run as another."""
    with tempfile.TemporaryDirectory(prefix="sparkle-tests-", dir=_place()) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def _place() -> Path | None:
    try:
        return _MEMORY if shutil.disk_usage(_MEMORY).free >= _ROOM else None
    except OSError:
        return None

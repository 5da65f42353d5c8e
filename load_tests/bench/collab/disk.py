"""How long the disk takes to keep what was written: no commit can be faster."""

import os
import time
from pathlib import Path

WRITES = 300
BLOCK = b"\xff" * 8192
"""As PostgreSQL writes its log: over what is there, since its files are made before they are needed."""


def flush_p99_ms(folder: Path) -> float:
    """The slowest but one in a hundred of ``fdatasync`` after 8 kB, in milliseconds."""
    file = folder / "flushed"
    times = []
    with file.open("wb", buffering=0) as disk:
        disk.write(BLOCK * WRITES)
        os.fdatasync(disk.fileno())
        for number in range(WRITES):
            os.pwrite(disk.fileno(), BLOCK, number * len(BLOCK))
            began = time.perf_counter()
            os.fdatasync(disk.fileno())
            times.append(time.perf_counter() - began)
    file.unlink()
    return 1000 * sorted(times)[int(0.99 * WRITES)]

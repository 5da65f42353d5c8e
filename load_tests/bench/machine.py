"""The machine that a bench ran on, for the head of its report."""

import os
import platform
from pathlib import Path


def machine() -> dict[str, object]:
    """Processor, cores, memory, kernel."""
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": int((_field("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) // 1024,
        "kernel": platform.release(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def _field(path: str, name: str) -> str | None:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None

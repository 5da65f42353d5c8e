"""Importing all that a long-lived process needs, at its start: in little time, and out of the collector's way."""

import contextlib
import gc
import sys
from collections.abc import Iterator

UNUSED = ("requests", "websocket", "valkey", "rich")
"""Packages that others import if they are installed, and a node has no use for: python-socketio for its clients and a
manager, structlog for tracebacks in colour. A seventh of the start."""
COLLECT_AFTER = (50_000, 20, 100)
"""Thresholds of the collector. With the usual ones it takes 40 % of a server's time: 15 000 connections are a quarter
of a million objects to look through, again and again, and what the hub drops is freed without it."""


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Around the imports of a process that goes on to serve."""
    # Hundreds of modules make a million objects that live for ever: collecting in between finds nothing, and takes a
    # tenth of the start. Frozen, they are not looked at again later either.
    gc.disable()
    with without(*UNUSED):
        yield
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    gc.enable()


@contextlib.contextmanager
def without(*packages: str) -> Iterator[None]:
    """Within it, importing one of these raises ImportError, as if it were not installed. Afterwards it can be imported.

    One that is imported already stays.
    """
    hidden = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None: the import system's own way to say so
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]

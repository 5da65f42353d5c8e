"""A hub for the demo alone: started from nothing, gone afterwards."""

import asyncio
import contextlib
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

from hub.demo.errors import DemoError
from hub.embedded.spawn import Process, spawn

START_S = 120.0
"""The first start of all makes a database cluster, and unpacks the servers."""
STOP_S = 30.0
"""The supervisor drains its nodes for up to 15 s, then stops the servers."""
POLL_S = 0.05
ADDRESS = re.compile(r"^Sparkle Hub listens on (https?://[^\s,]+)", re.MULTILINE)
LINES_SHOWN = 20


@contextlib.asynccontextmanager
async def own_hub(environment: Mapping[str, str]) -> AsyncIterator[str]:
    """Run a hub of two nodes on a free port; gives its address. It ends with the context, or with this process.

    Raises DemoError, with what the hub printed last, if it does not start.
    """
    with _folder() as folder:
        command: list[str | Path] = [
            *(sys.executable, *(["-P"] if sys.flags.safe_path else []), "-m", "hub.cli", "run", "--nodes", "2"),
            *("--host", "127.0.0.1", "--port", "0", "--data", folder / "data"),
        ]
        log = folder / "hub.log"  # no pipe: a hub whose reader is busy would stand still
        with log.open("wb") as output:
            process = spawn(command, environment=environment, when_parent_dies=signal.SIGTERM, output=output)
        try:
            yield await _address(process, log)
        finally:
            await process.stop(signal.SIGTERM, STOP_S)


async def _address(process: Process, log: Path) -> str:
    try:
        async with asyncio.timeout(START_S):
            while (found := address_in(_text(log))) is None:
                if process.exit_code is not None:
                    raise DemoError(f"the hub {process.end}; it said last:\n{_last_lines(log)}")
                await asyncio.sleep(POLL_S)
            return found
    except TimeoutError:
        raise DemoError(f"the hub is not ready after {START_S:g} s; it said last:\n{_last_lines(log)}") from None


def address_in(output: str) -> str | None:
    """The address in what `sparkle-hub run` prints, None before it is there."""
    found = ADDRESS.search(output)
    return found[1] if found else None


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sparkle-demo-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # for root, whose servers run as somebody else
        yield Path(folder)


def _text(log: Path) -> str:
    return log.read_text(errors="replace")


def _last_lines(log: Path) -> str:
    return "\n".join(_text(log).splitlines()[-LINES_SHOWN:])

"""The process with all Socket.IO clients (``js/clients.mjs``), and what it is told to do."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from load_tests.bench.cache import node_packages
from load_tests.bench.errors import CannotMeasure

SOURCE = Path(__file__).parent / "js"
ANSWER_S = 20.0
POLL_S = 0.1
QUIET_MS = 1_500.0
"""After nothing has come for so long, nothing more is on its way."""


class Clients:
    """Running clients."""

    def __init__(self, process: asyncio.subprocess.Process, count: int, complaints: Path) -> None:
        self._process = process
        self._count = count
        self._complaints = complaints
        self._telling = asyncio.Lock()

    async def tell(self, what: str, **more: Any) -> dict[str, Any]:
        """Give a command, and return its answer. Raises CannotMeasure if there is none."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._telling:
            self._process.stdin.write(json.dumps({"do": what, **more}).encode() + b"\n")
            try:
                async with asyncio.timeout(ANSWER_S):
                    line = await self._process.stdout.readline()
            except TimeoutError:
                line = b""
        if not line:
            raise CannotMeasure(f"the clients do not answer: {self._complaints.read_text()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def still(self, within_s: float, quiet_ms: float = 0.0) -> bool:
        """Wait until all are connected and where they want to be, with an answer to all they sent, and quiet.

        False if it takes longer.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        while loop.time() < end:
            state = await self.tell("state")
            if state["still"] == self._count and state["quietMs"] >= quiet_ms:
                return True
            await asyncio.sleep(POLL_S)
        return False

    async def end(self) -> None:
        """Have them write their last records."""
        assert self._process.stdin is not None
        self._process.stdin.write(b'{"do": "end"}\n')
        async with asyncio.timeout(ANSWER_S):
            await self._process.wait()


@contextlib.asynccontextmanager
async def running_clients(
    folder: Path,
    cache: Path,
    *,
    urls: Sequence[str],
    tokens: Sequence[str],
    rooms: Sequence[str],
    seed: int,
    kinds: Sequence[str] | None = None,
) -> AsyncIterator[Clients]:
    """One client for each token, at the URLs in turn, of every kind or those given.

    Their history is ``clients.jsonl`` in ``folder``.

    Raises CannotMeasure without Node.js or the packages.
    """
    installed = (SOURCE / "node_modules").is_dir()  # by `./sparkle test`
    packages = SOURCE if installed else await asyncio.to_thread(node_packages, SOURCE, cache)
    given, complaints = folder / "clients.json", folder / "clients.log"
    given.touch(mode=0o600)  # whoever reads it may speak for these people
    history = str(folder / "clients.jsonl")
    what = {"urls": urls, "tokens": tokens, "rooms": rooms, "history": history, "seed": seed, "kinds": kinds}
    given.write_text(json.dumps(what))
    with complaints.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(shutil.which("node") or "node", packages / "clients.mjs", given),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        yield Clients(process, len(tokens), complaints)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

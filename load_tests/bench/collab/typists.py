"""The processes with the clients (``js/clients.mjs``): killed and started again, they keep a ledger each."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from load_tests.bench.cache import node_packages
from load_tests.bench.errors import CannotMeasure

SOURCE = Path(__file__).parent / "js"
KINDS = ("socketio", "hocuspocus", "y_websocket", "y_socketio")
"""Clients, each driven by ``js/kind_….mjs``."""
ANSWER_S = 20.0
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class State:
    """How a process with clients is."""

    waiting: int
    """Clients that are not connected, or have made what is not acknowledged."""
    acknowledged: int
    texts: Sequence[tuple[int, str]]
    """Each client's document and its text, once nobody types and nobody waits."""


class Typists:
    """One process, and its successors. Each has new documents, and so knows nothing but what the hub tells it."""

    def __init__(self, name: str, writers: Sequence[Mapping[str, object]], ports: Sequence[int], folder: Path) -> None:
        self.ledger = folder / f"{name}.ledger"
        """What was acknowledged to any of them."""
        self._given = {"writers": writers, "ports": ports, "ledger": str(self.ledger)}
        self._file = folder / f"{name}.json"
        self._complaints = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, packages: Path, per_second: float) -> None:
        """Begin to type: each client so often a second."""
        self._file.touch(mode=0o600)  # whoever reads it may speak for these people
        self._file.write_text(json.dumps({**self._given, "perSecond": per_second}))
        with self._complaints.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(shutil.which("node") or "node", packages / "clients.mjs", self._file),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=64 << 20,
            )

    async def kill(self) -> None:
        """SIGKILL. What was in their documents alone is gone."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def state(self) -> State:
        """Ask how it is. Raises CannotMeasure if it does not answer."""
        await self._tell(b"state\n")
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(ANSWER_S):
                line = await self._process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            raise CannotMeasure(f"the clients do not answer: {self._complaints.read_text()[-2000:]}")
        answer = json.loads(line)
        return State(answer["waiting"], answer["acknowledged"], [tuple(one) for one in answer["texts"]])

    async def calm(self) -> None:
        """No more typing."""
        await self._tell(b"calm\n")

    async def _tell(self, what: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(what)
        with contextlib.suppress(ConnectionError):
            await self._process.stdin.drain()


def packages_of(cache: Path) -> Path:
    """The folder with the clients and npm's packages. Raises CannotMeasure without Node.js."""
    if (SOURCE / "node_modules").is_dir():  # by `./sparkle test`
        return SOURCE
    return node_packages(SOURCE, cache)

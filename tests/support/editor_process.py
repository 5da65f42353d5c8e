"""An editor in a process of its own: an unmodified Yjs provider, driven by lines of JSON."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.wait import until

ANSWER_S = 30.0
"""A limit and no measure: six processes start on a machine with other work."""


@dataclass
class Editor:
    """What can be done with one, whatever it speaks."""

    process: asyncio.subprocess.Process
    kind: str
    name: str

    async def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        async with asyncio.timeout(ANSWER_S):
            line = await self.process.stdout.readline()
        assert line, f"{self.kind} ended: {await self._complaints()}"
        state: dict[str, Any] = json.loads(line)
        return state

    async def _complaints(self) -> str:
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()

    async def state(self) -> dict[str, Any]:
        """What it has, and what it was told."""
        return await self._ask({"state": True})

    async def write(self, text: str) -> None:
        """Append."""
        await self._ask({"write": text})

    async def leave(self) -> None:
        """Close the document, as its provider does it."""
        await self._ask({"leave": True})

    async def until(self, timeout_s: float = ANSWER_S, **expected: Any) -> dict[str, Any]:
        """Wait until its state has these entries, and give it."""

        async def fits() -> dict[str, Any] | None:
            state = await self.state()
            return state if all(state[name] == value for name, value in expected.items()) else None

        try:
            state: dict[str, Any] | None = await until(fits, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{self.kind}: {expected} expected, and not {await self.state()}") from error
        assert state is not None
        found: dict[str, Any] = state
        return found


@contextlib.asynccontextmanager
async def running_editor(command: Sequence[str], folder: Path, **given: Any) -> AsyncIterator[Editor]:
    """Start one with what is given as its input, and end it."""
    process = await asyncio.create_subprocess_exec(
        *command,
        json.dumps(given),
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Editor(process, given["kind"], given["name"])
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

"""The compactor as the node sees it: a process that is started when there is work, and replaced when it fails."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass

import msgspec

from collab.compaction import Folded, NotWhole
from collab.compactor import LONGEST_S, Answer, Request
from hub.kernel.errors import Unavailable

ANSWER_S = LONGEST_S + 10.0
"""After this it is killed: it ends itself before, unless it is stopped."""
IDLE_S = 30.0
"""Without work for so long it is ended: it holds 40 MB."""


class CompactorProcess:
    """Implements collab.compaction.Compactor. One document at a time."""

    def __init__(self, dsn: str, *, answer_s: float = ANSWER_S, idle_s: float = IDLE_S) -> None:
        self._dsn = dsn
        self._answer_s = answer_s
        self._idle_s = idle_s
        self._running: _Running | None = None
        self._dismissal: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, if it runs."""
        running = self._running
        return None if running is None or running.process.returncode is not None else running.process.pid

    async def compact(self, document_id: str, least: int) -> Folded:
        """See collab.compaction.Compactor."""
        if self._dismissal is not None:
            self._dismissal.cancel()
        try:
            async with asyncio.timeout(self._answer_s):
                answer = await self._ask(Request(document_id, least))
        except (OSError, TimeoutError, msgspec.DecodeError) as error:
            await self.close()
            raise Unavailable(f"the compactor does not answer: {error!r}") from error
        except BaseException:
            await self.close()  # an answer that nobody waits for would be taken for the next one
            raise
        self._dismissal = asyncio.get_running_loop().call_later(self._idle_s, self._dismiss)
        if answer.not_whole is not None:
            raise NotWhole(answer.not_whole)
        if answer.folded is None:
            raise Unavailable(f"the compactor failed: {answer.failed}")
        return answer.folded

    async def close(self) -> None:
        """See collab.compaction.Compactor. What it is at is rolled back."""
        if self._dismissal is not None:
            self._dismissal.cancel()
        running, self._running = self._running, None
        if running is not None:
            with contextlib.suppress(ProcessLookupError):
                running.process.kill()
            await running.process.wait()

    async def _ask(self, request: Request) -> Answer:
        if self._running is None or self.pid is None or self._running.requests.is_closing():
            await self.close()
            self._running = await self._start()
        requests, answers = self._running.requests, self._running.answers
        requests.write(msgspec.json.encode(request) + b"\n")
        await requests.drain()
        line = await answers.readline()
        if not line:
            raise ConnectionResetError(f"it ended with code {await self._running.process.wait()}")
        return msgspec.json.decode(line, type=Answer)

    async def _start(self) -> "_Running":
        safe = ["-P"] if sys.flags.safe_path else []
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *safe, "-m", "collab.compactor"),
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,  # Ctrl-C in a terminal is for the node, which ends it
        )
        if process.stdin is None or process.stdout is None:
            raise ConnectionError("a process without pipes")
        process.stdin.write(self._dsn.encode() + b"\n")
        return _Running(process, process.stdin, process.stdout)

    def _dismiss(self) -> None:
        """Let it end by itself: it waits for a line."""
        if self._running is not None:
            self._running.requests.close()


@dataclass(frozen=True, slots=True)
class _Running:
    process: Process
    requests: asyncio.StreamWriter
    answers: asyncio.StreamReader

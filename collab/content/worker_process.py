"""The worker as the node sees it: a process that is started when there is work, and replaced when it fails."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass

import msgspec

from collab.content.jobs import Job
from collab.content.worker import LENGTH, LONGEST_S, Answer
from collab.errors import UnsuitableContent
from hub.kernel.errors import Overloaded, Unavailable

ANSWER_S = LONGEST_S + 5.0
"""After this it is killed: it ends itself before, unless it is stopped."""
IDLE_S = 60.0
"""Without work for so long it is ended: it holds 40 MB."""
WAITING = 32
"""Jobs that may wait. Most take a few ms, a rich document of 1 MB a second: nobody would wait for more than these."""


class ContentWorker:
    """Does jobs in a process beside the node, one at a time, in the order in which they came."""

    def __init__(self, *, answer_s: float = ANSWER_S, idle_s: float = IDLE_S) -> None:
        self._answer_s = answer_s
        self._idle_s = idle_s
        self._running: _Running | None = None
        self._dismissal: asyncio.TimerHandle | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def do(self, job: Job) -> bytes:
        """The result of a job. Raises UnsuitableContent if the content is at fault, Overloaded and Unavailable."""
        if self._waiting >= WAITING:
            raise Overloaded("Too many documents are being read just now. Try again in a moment.")
        self._waiting += 1
        try:
            async with self._turn:
                answer = await self._answer(job)
        finally:
            self._waiting -= 1
        if answer.refused is not None:
            raise UnsuitableContent(f"This cannot be done with this content: {answer.refused}.")
        if answer.result is None:
            raise UnsuitableContent("This document cannot be read.")
        return answer.result

    async def close(self) -> None:
        """End the process, whatever it is at."""
        if self._dismissal is not None:
            self._dismissal.cancel()
        running, self._running = self._running, None
        if running is not None:
            with contextlib.suppress(ProcessLookupError):
                running.process.kill()
            await running.process.wait()

    async def _answer(self, job: Job) -> Answer:
        if self._dismissal is not None:
            self._dismissal.cancel()
        try:
            async with asyncio.timeout(self._answer_s):
                answer = await self._ask(job)
        except (EOFError, TimeoutError):  # it hung, or ran out of memory or stack: the document's doing
            await self.close()
            return Answer(failed="it ended")
        except OSError as error:
            await self.close()
            raise Unavailable from error
        except BaseException:
            await self.close()  # an answer that nobody waits for would be taken for the next one
            raise
        self._dismissal = asyncio.get_running_loop().call_later(self._idle_s, self._dismiss)
        return answer

    async def _ask(self, job: Job) -> Answer:
        if self._running is None or self._running.process.returncode is not None or self._running.requests.is_closing():
            await self.close()
            self._running = await self._start()
        requests, answers = self._running.requests, self._running.answers
        data = msgspec.msgpack.encode(job)
        requests.write(LENGTH.pack(len(data)))
        requests.write(data)
        await requests.drain()
        (length,) = LENGTH.unpack(await answers.readexactly(LENGTH.size))
        return msgspec.msgpack.decode(await answers.readexactly(length), type=Answer)

    async def _start(self) -> "_Running":
        safe = ["-P"] if sys.flags.safe_path else []
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *safe, "-m", "collab.content.worker"),
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,  # Ctrl-C in a terminal is for the node, which ends it
        )
        if process.stdin is None or process.stdout is None:
            raise ConnectionError("a process without pipes")
        return _Running(process, process.stdin, process.stdout)

    def _dismiss(self) -> None:
        """Let it end by itself: it waits for a job."""
        if self._running is not None:
            self._running.requests.close()


@dataclass(frozen=True, slots=True)
class _Running:
    process: Process
    requests: asyncio.StreamWriter
    answers: asyncio.StreamReader

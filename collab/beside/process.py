"""The node's end: a process that is started when there is work, and replaced when it fails."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass

from collab.beside.messages import LENGTH, framed


class ProcessBeside:
    """Asks a module that serves as :mod:`collab.beside.serving` does, one request at a time."""

    def __init__(self, module: str, *, answer_s: float, idle_s: float, greeting: bytes = b"") -> None:
        """``answer_s``: a process that has not answered after it is killed. ``idle_s``: without work for so long it
        is ended. ``greeting``: told to each process first, unless it is empty.
        """
        self._module = module
        self._answer_s = answer_s
        self._idle_s = idle_s
        self._greeting = greeting
        self._running: _Running | None = None
        self._dismissal: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, if it runs."""
        running = self._running
        return None if running is None or running.process.returncode is not None else running.process.pid

    async def ask(self, request: bytes) -> bytes:
        """Its answer. Raises EOFError if it ends, TimeoutError if it hangs, and OSError.

        After any of these, and when it is cancelled, the process is gone, and the next request starts another.
        """
        if self._dismissal is not None:
            self._dismissal.cancel()
        try:
            async with asyncio.timeout(self._answer_s):
                answer = await self._ask(request)
        except BaseException:
            await self.close()  # an answer that nobody waits for would be taken for the next one
            raise
        self._dismissal = asyncio.get_running_loop().call_later(self._idle_s, self._dismiss)
        return answer

    async def close(self) -> None:
        """End the process, whatever it is at."""
        if self._dismissal is not None:
            self._dismissal.cancel()
        running, self._running = self._running, None
        if running is not None:
            with contextlib.suppress(ProcessLookupError):
                running.process.kill()
            await running.process.wait()

    async def _ask(self, request: bytes) -> bytes:
        if self._running is None or self.pid is None or self._running.requests.is_closing():
            await self.close()
            self._running = await self._start()
        requests, answers = self._running.requests, self._running.answers
        requests.write(framed(request))
        await requests.drain()
        (length,) = LENGTH.unpack(await answers.readexactly(LENGTH.size))
        return await answers.readexactly(length)

    async def _start(self) -> "_Running":
        safe = ["-P"] if sys.flags.safe_path else []
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *safe, "-m", self._module),
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,  # Ctrl-C in a terminal is for the node, which ends it
        )
        if process.stdin is None or process.stdout is None:
            raise ConnectionError("a process without pipes")
        if self._greeting:
            process.stdin.write(framed(self._greeting))
        return _Running(process, process.stdin, process.stdout)

    def _dismiss(self) -> None:
        """Let it end by itself: it waits for a request."""
        if self._running is not None:
            self._running.requests.close()


@dataclass(frozen=True, slots=True)
class _Running:
    process: Process
    requests: asyncio.StreamWriter
    answers: asyncio.StreamReader

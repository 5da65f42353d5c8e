"""The worker as the node sees it: a process beside it, and a queue of jobs."""

import asyncio

import msgspec

from collab.beside.process import ProcessBeside
from collab.content.jobs import LONGEST_S, Answer, Job
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
        self._process = ProcessBeside("collab.content.worker", answer_s=answer_s, idle_s=idle_s)
        self._turn = asyncio.Lock()
        self._waiting = 0

    @property
    def pid(self) -> int | None:
        """Of the process, if it runs."""
        return self._process.pid

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

    async def _answer(self, job: Job) -> Answer:
        try:
            reply = await self._process.ask(msgspec.msgpack.encode(job))
        except (EOFError, TimeoutError):  # it hung, or ran out of memory or stack: the document's doing
            return Answer(failed="it ended")
        except OSError as error:
            raise Unavailable from error
        return msgspec.msgpack.decode(reply, type=Answer)

    async def close(self) -> None:
        """End the process, whatever it is at."""
        await self._process.close()

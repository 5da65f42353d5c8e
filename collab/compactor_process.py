"""The compactor as the node sees it: a process beside it."""

import msgspec

from collab.beside.process import ProcessBeside
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
        self._process = ProcessBeside("collab.compactor", answer_s=answer_s, idle_s=idle_s, greeting=dsn.encode())

    @property
    def pid(self) -> int | None:
        """Of the process, if it runs."""
        return self._process.pid

    async def compact(self, document_id: str, least: int) -> Folded:
        """See collab.compaction.Compactor."""
        try:
            reply = await self._process.ask(msgspec.msgpack.encode(Request(document_id, least)))
        except (OSError, EOFError, TimeoutError) as error:
            raise Unavailable(f"the compactor does not answer: {error!r}") from error
        answer = msgspec.msgpack.decode(reply, type=Answer)
        if answer.not_whole is not None:
            raise NotWhole(answer.not_whole)
        if answer.folded is None:
            raise Unavailable(f"the compactor failed: {answer.failed}")
        return answer.folded

    async def close(self) -> None:
        """See collab.compaction.Compactor. What it is at is rolled back."""
        await self._process.close()

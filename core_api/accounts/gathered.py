"""How people stand to each other, asked for many at once: a busy node asks the database once and not for each call."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from core_api.accounts.privacy import Privacy, Relation
from core_api.accounts.sight import Pair, Standings

Known = Mapping[Pair, tuple[Privacy, Relation]]
MOST_PAIRS: Final = 500
"""Of one question, beside those of whoever came last."""
PATIENCE_S: Final = 0.02
"""So long questions wait for the one before them. A database takes 1 ms; a connection to it may hang."""


class GatheredStandings:
    """Implements core_api.accounts.sight.Standings.

    Whoever asks while a question is under way is asked for together with all who come until it is answered. Each is
    asked for after they have come, so the answer is never older than what they wanted to know.
    """

    def __init__(self, standings: Standings) -> None:
        self._standings = standings
        self._waiting: list[tuple[Sequence[Pair], asyncio.Future[Known]]] = []
        self._asking: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def relations(self, pairs: Sequence[Pair]) -> Known:
        """The settings of the second of each pair, and the relation of the two. Raises what the one question raises."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Known] = loop.create_future()
        self._waiting.append((pairs, answered))
        if not self._asking:
            self._ask()
        elif self._timer is None:
            self._timer = loop.call_later(PATIENCE_S, self._ask)
        known = await answered
        return {pair: known[pair] for pair in pairs if pair in known}

    def _ask(self) -> None:
        """Begin to ask for all who wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            some, count = [], 0
            while self._waiting and count < MOST_PAIRS:
                some.append(self._waiting.pop(0))
                count += len(some[-1][0])
            task = asyncio.get_running_loop().create_task(self._answer(some), name="relations")
            self._asking.add(task)
            task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        if not self._asking:
            self._ask()

    async def _answer(self, some: Sequence[tuple[Sequence[Pair], asyncio.Future[Known]]]) -> None:
        try:
            known = await self._standings.relations(list({pair: None for pairs, _ in some for pair in pairs}))
        except Exception as error:
            for _, answered in some:
                if not answered.done():  # who asked may have been cancelled
                    answered.set_exception(error)
        else:
            for _, answered in some:
                if not answered.done():
                    answered.set_result(known)

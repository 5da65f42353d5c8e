"""Has the changes of one client stored, in the order they came, and confirms each once it is in the log."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from collab.errors import UpdateGap
from collab.native.confirmations import Confirmations
from collab.native.sync import Change
from hub.kernel.errors import Forbidden, Unavailable

if TYPE_CHECKING:
    from collab.commits import Submission
    from collab.native.open_document import OpenDocument

EVENT = "collab:change"
"""The name of the allowance that changes are taken from."""


class Storing:
    """Of one document that a client has open.

    Changes that came together are taken together, and nothing waits for the commit of those before: so a fast typist
    has many under way.
    """

    def __init__(self, document: OpenDocument, settled: Callable[[Change], None]) -> None:
        """``settled`` is called for each change of which it is known what became of it."""
        self._document = document
        self._settled = settled
        self._confirmations = Confirmations()
        self._under_way: deque[tuple[Change, Submission]] = deque()
        self._paid = 0
        """Changes that have been taken from the allowance already, and wait all the same."""

    # ---------------------------------------------------------------- questions

    def client_asks(self, *, with_question: bool) -> None:
        """The client has asked for what it lacks; ``with_question``: the answer asks for what the hub lacks."""
        self._confirmations.client_asks()
        if with_question:
            self._confirmations.hub_asks(with_answer=True)

    def ask(self, vector: bytes) -> None:
        """Have the client send all that the hub lacks."""
        self._confirmations.hub_asks(with_answer=False)
        self._document.socket.send(self._document.voice.ask(vector))

    # ---------------------------------------------------------------- changes

    def at_once(self, changes: Sequence[Change]) -> int:
        """Take the first of these, as many as need no waiting; returns how many. Raises as Editing.take_at_once.

        Answers are not among them: what they delete is looked for in the document first.
        """
        plain = list(takewhile(lambda change: not change.is_answer, changes))
        if not plain or not self._pay(len(plain)):
            return 0
        document = self._document
        taken = document.editing.take_at_once(document.document_id, document.id, [one.update for one in plain])
        self._paid -= len(taken)
        if taken:
            is_told = bool(self._under_way) and self._under_way[-1][1].batch is taken[-1].batch
            self._under_way.extend(zip(plain, taken, strict=False))
            if not is_told:
                taken[-1].batch.then(self._confirm)
        return len(taken)

    def _pay(self, count: int) -> bool:
        if self._paid < count:
            if self._document.wait(EVENT, count=count - self._paid):
                return False
            self._paid = count
        return True

    async def store(self, changes: Sequence[Change]) -> None:
        """Take all of these, and wait for whatever has to be waited for. Raises as Editing.change, but for gaps."""
        document, rest = self._document, changes
        try:
            while self._paid < len(changes):
                await document.allowed(EVENT)
                self._paid += 1
            if await document.editing.may_write(document.document_id, document.id):
                rest = changes[self.at_once(changes) :]
                await self._store(rest)
            else:
                for change in changes:
                    self._refused(change)
        finally:
            self._paid -= len(rest)
            for change in rest:
                self._settled(change)

    async def _store(self, changes: Sequence[Change]) -> None:
        outcomes = await asyncio.gather(*map(self._change, changes), return_exceptions=True)
        gap: UpdateGap | None = None
        for change, outcome in zip(changes, outcomes, strict=True):
            # Perhaps one before it, which waited for something, came after it into the log.
            settled = await self._again(change) if isinstance(outcome, UpdateGap) else outcome
            if isinstance(settled, UpdateGap):
                self._confirmations.not_stored(is_answer=change.is_answer)
                gap = settled
            elif isinstance(settled, Forbidden):
                self._refused(change)
            elif settled is not None:
                raise settled
            else:
                self._stored(change)
        if gap is not None:  # once: the answer has what all of them lack
            self.ask(gap.details["stateVector"])

    async def _again(self, change: Change) -> BaseException | None:
        (outcome,) = await asyncio.gather(self._change(change), return_exceptions=True)
        return outcome

    async def _change(self, change: Change) -> None:
        document = self._document
        await document.editing.change(document.document_id, document.id, change.update, is_answer=change.is_answer)

    async def settled(self) -> None:
        """Wait until it is known of all that was taken what became of it."""
        while self._under_way:
            await self._under_way[-1][1].batch.settled()

    def _confirm(self) -> None:
        while self._under_way and self._under_way[0][1].batch.is_settled:
            change, submission = self._under_way.popleft()
            self._settled(change)
            if submission.place is None:
                self._document.fail(Unavailable())
            else:
                self._stored(change)

    def _stored(self, change: Change) -> None:
        for _ in range(self._confirmations.stored(is_answer=change.is_answer)):
            self._say_taken(stored=True)

    def _refused(self, change: Change) -> None:
        self._confirmations.not_stored(is_answer=change.is_answer)
        self._say_taken(stored=False)

    def _say_taken(self, *, stored: bool) -> None:
        if self._document.is_here and (message := self._document.voice.taken(stored=stored)) is not None:
            self._document.socket.send(message)

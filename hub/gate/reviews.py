"""Reviews in the background: looking again at what connections have, after something that it hangs on has changed."""

import asyncio
import logging
from typing import Final, Protocol

from hub.kernel.ids import RoomName
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

AGAIN_S: Final = 0.5
"""Wait after a review that failed, since the database or Redis is away. Who is in a room stays there until then."""


class Reviewer(Protocol):
    """Looks again at the connections of this node that are in a room."""

    def concerns(self, of: RoomName) -> bool:
        """Whether there is anything here to look at."""
        ...

    async def review(self, of: RoomName) -> None:
        """Look, and act. Raises what it hangs on raises; then it is not complete, and is to be repeated."""
        ...


class Reviews:
    """Runs each reviewer, for each room that is asked for, until it has succeeded or there is nothing to look at."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._reviewers: list[Reviewer] = []
        self._asked: dict[tuple[Reviewer, RoomName], bool] = {}
        """Reviews under way, and whether another was asked for since they began."""

    def add(self, reviewer: Reviewer) -> None:
        """Have this one look too."""
        self._reviewers.append(reviewer)

    def begin(self, of: RoomName) -> None:
        """Review the connections here that are in ``of``. Returns at once. Many askings make one more review."""
        for reviewer in self._reviewers:
            if (reviewer, of) in self._asked:
                self._asked[reviewer, of] = True
            elif reviewer.concerns(of):
                self._asked[reviewer, of] = True
                self._tasks.start(self._run(reviewer, of), name="review")

    def idle(self) -> bool:
        """Whether none is under way."""
        return not self._asked

    async def _run(self, reviewer: Reviewer, of: RoomName) -> None:
        try:
            while self._asked[reviewer, of] and reviewer.concerns(of):
                self._asked[reviewer, of] = False
                try:
                    await reviewer.review(of)
                except Exception as error:  # whatever it is: somebody is where they may not be
                    log.warning("what %s has is looked at again in %g s: %r", of, AGAIN_S, error)
                    self._asked[reviewer, of] = True
                    await asyncio.sleep(AGAIN_S)
        finally:
            del self._asked[reviewer, of]

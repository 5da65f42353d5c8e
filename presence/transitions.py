"""Transitions that nobody has been told of for certain: kept in Redis beside the state, until somebody has."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from hub.kernel.errors import Unavailable
from hub.kernel.ports import Rooms
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EntryId:
    """Where a transition is kept."""

    part: int
    id: str


@dataclass(frozen=True, slots=True)
class Overdue:
    """A transition that ought to have been told by now: whoever made it is slow, or dead."""

    entry: EntryId
    fields: dict[str, str]
    """What the function that made it wrote down."""
    age_s: float
    """Since it was made, by the clock of Redis."""


class Transitions(Protocol):
    """The streams, one a part, to which changes add what is to be told. Both methods raise Unavailable."""

    async def overdue(self, older_than_s: float) -> list[Overdue]:
        """Transitions older than this that are still kept: the oldest of each part, a bounded number."""
        ...

    async def remove(self, entries: Iterable[EntryId]) -> None:
        """Keep these no longer. Idempotent."""
        ...


class Told:
    """Takes transitions out of their streams when Redis has the events that tell of them, and not before.

    A node that dies in between leaves them to the relays of the others. These ask the room's stream whether an event
    with the same id was sent, so nobody is told twice.
    """

    def __init__(self, transitions: Transitions, rooms: Rooms, tasks: Tasks) -> None:
        self._transitions = transitions
        self._rooms = rooms
        self._tasks = tasks
        self._waiting: set[EntryId] = set()
        self._removing: set[EntryId] = set()
        self._is_at_work = False

    def add(self, entries: Iterable[EntryId]) -> None:
        """What these are about was emitted just now, or need not be."""
        self._waiting.update(entries)
        if self._waiting and not self._is_at_work:
            self._is_at_work = True
            self._tasks.start(self._remove(), name="transitions told")

    def __contains__(self, entry: EntryId) -> bool:
        """Whether this node has told of it, and only waits for Redis."""
        return entry in self._removing or entry in self._waiting

    async def _remove(self) -> None:
        try:
            while self._waiting:
                self._removing, self._waiting = self._waiting, set()
                await self._rooms.flushed()
                try:
                    await self._transitions.remove(self._removing)
                except Unavailable:
                    log.info("%d transitions that were told are looked at again", len(self._removing))
        finally:
            self._removing = set()
            self._is_at_work = False

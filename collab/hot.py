"""What the engine tells and is told: an open document, its subscribers, the answers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from collab.commits import Submission
from collab.document import Document


class Gap(Exception):
    """An update builds on what is not in the log; ``vector`` says what is."""

    def __init__(self, vector: bytes) -> None:
        super().__init__("the update has a gap")
        self.vector = vector


class Shown(NamedTuple):
    """A committed update, and who has sent it, if that was a client of this node."""

    update: bytes
    sender: str | None


class Subscriber(Protocol):
    """Shows changes to clients, in whatever protocol they speak."""

    def deliver(self, document_id: str, changes: Sequence[Shown]) -> None:
        """Send committed updates, in this order, to the clients of this node that have the document open.

        Those of one commit come together. Nobody is sent their own, if their protocol does not want it. An update may
        come twice (Yjs takes it). Must neither block nor raise.
        """
        ...


@dataclass(frozen=True, slots=True)
class Joined:
    """What a client that joins is told."""

    update: bytes
    vector: bytes


@dataclass(eq=False, slots=True)
class Hot:
    """An open document with what the engine remembers of it."""

    document: Document
    used_at: float
    """By the monotonic clock, in seconds."""
    ready: bool = False
    """Read from the log once. Until then nobody is shown what is applied."""
    last: Submission | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while something is applied bit by bit. Nobody may look at the document, or apply to it, while it is."""
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    asked: int = 0
    answered: int = 0
    queued: bool = False
    """A read in the background waits to begin."""

    @property
    def at_rest(self) -> bool:
        """Whether it may be looked at, and applied to, at once."""
        return self.ready and not self.turn.locked() and not self.document.refused

    @property
    def committed(self) -> bool:
        """Whether everything applied here is in the log."""
        return not self.turn.locked() and (self.last is None or self.last.batch.is_settled)

"""Who has which document open on this node, with which right, and by what they are shown it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from collab.hot import Subscriber
from hub.kernel.events import Actor


class Audience(Subscriber, Protocol):
    """The clients of one protocol on this node, as far as they have documents open."""

    def show_awareness(self, document_id: str, update: bytes, speaker: str | None) -> None:
        """Send an awareness update to those who have the document open; it came from the editor ``speaker``.

        It is dropped for those who do not keep up. Must neither block nor raise.
        """
        ...


class Editor(Protocol):
    """A client that has a document open."""

    @property
    def is_here(self) -> bool:
        """Whether it still has the document open, as far as its protocol knows."""
        ...

    async def access_changed(self, may_write: bool) -> None:
        """It may write from now on, or only read. Must not raise."""
        ...

    async def put_out(self) -> None:
        """It may not even read any more, and has been taken out. Must not raise."""
        ...


@dataclass(eq=False, slots=True)
class Participant:
    """An editor with its rights."""

    id: str
    connection: str
    actor: Actor
    audience: Audience
    editor: Editor
    may_ever_write: bool
    """Whether what it came in with lets it write at all, whatever its role is."""
    follows_session: bool
    """Whether it has to be put out when its session ends: connections of Socket.IO are closed by others."""
    may_write: bool = False
    checked_at: float = 0.0
    """When the right to write was checked, by the monotonic clock, in seconds."""
    role: str | None = None
    """The role that the right to write is known to fit; ``None``: the next review looks."""


class Participants:
    """A table of them, by document and editor id, and by connection."""

    def __init__(self) -> None:
        self._here: dict[str, dict[str, Participant]] = {}
        self._open: dict[str, set[tuple[str, str]]] = {}
        """Connection → the documents that it has open, each with the editor's id."""

    def __iter__(self) -> Iterator[tuple[str, Participant]]:
        """All of them, each with its document, as they were at the beginning."""
        return iter([(document_id, one) for document_id, here in self._here.items() for one in here.values()])

    def add(self, document_id: str, participant: Participant) -> None:
        """Enter one, in the place of who had the same id."""
        self._here.setdefault(document_id, {})[participant.id] = participant
        self._open.setdefault(participant.connection, set()).add((document_id, participant.id))

    def remove(self, document_id: str, id: str) -> Participant | None:
        """Take one out, if it is there."""
        here = self._here.get(document_id, {})
        participant = here.pop(id, None)
        if participant is None:
            return None
        if not here:
            del self._here[document_id]
        opened = self._open[participant.connection]
        opened.discard((document_id, id))
        if not opened:
            del self._open[participant.connection]
        return participant

    def find(self, document_id: str, id: str) -> Participant | None:
        """One of them."""
        here = self._here.get(document_id)
        return None if here is None else here.get(id)

    def of(self, document_id: str) -> list[Participant]:
        """Those of a document."""
        return list(self._here.get(document_id, {}).values())

    def opened_by(self, connection: str) -> set[tuple[str, str]]:
        """The documents that a connection has open, each with the editor's id."""
        return set(self._open.get(connection, ()))

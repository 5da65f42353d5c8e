"""Tells code on this node that a document was changed, on whichever node that was."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from collab.engine import Engine
from collab.hot import Shown


class Follower:
    """Implements collab.hot.Subscriber: notes that there were changes."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    def deliver(self, document_id: str, changes: Sequence[Shown]) -> None:
        """See collab.hot.Subscriber."""
        self._changed()


class ChangeFeed:
    """For what shows that a document lives without showing the document. Access is the caller's to check."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def follow(self, document_id: str, changed: Callable[[], None]) -> AsyncIterator[None]:
        """Call ``changed`` after each commit of changes from now on, inside ``async with``; one may count twice.

        The document stays open here meanwhile, as it does for an editor: without that no node would send its changes
        to this one. Raises Unavailable if it cannot be opened.
        """
        follower = Follower(changed)
        try:
            await self._engine.follow(document_id, follower)
            yield
        finally:
            self._engine.leave(document_id, follower)

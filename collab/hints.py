"""Hints between nodes: "this row was just committed". They make changes fast; nothing rests on them.

Whispers go the same way: what is not stored at all, such as cursors.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from collab.log import Row


class Hints(Protocol):
    """Sends committed rows to the nodes that have the document open. May lose, repeat and reorder them.

    No method raises because Redis does not answer.
    """

    receive: Callable[[Row], None]
    """Called for each row that arrives, those of this node included."""
    overhear: Callable[[str, bytes], None]
    """Called with the document and the text of each whisper that arrives, those of this node included."""
    reconnected: Callable[[], None]
    """Called when rows may have been missed."""

    async def run(self) -> None:
        """Receive for ever."""
        ...

    async def subscribe(self, document_id: str) -> None:
        """Receive the rows of a document from now on: what is committed after this returned arrives, usually."""
        ...

    async def unsubscribe(self, document_id: str) -> None:
        """Receive them no longer."""
        ...

    async def publish(self, rows: Iterable[Row]) -> None:
        """Send rows to all subscribed nodes."""
        ...

    async def whisper(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Send what is worth nothing later to all subscribed nodes, each message with the document that it is about."""
        ...

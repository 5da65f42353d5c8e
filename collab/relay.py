"""Tells of what is committed: clients of this node by their subscribers, other nodes by hints."""

import asyncio
from collections import deque
from collections.abc import Sequence

from collab.hints import Hints
from collab.hot import Shown, Subscriber
from collab.log import Row

MAX_UNPUBLISHED = 1000
"""Rows that wait for Redis. Older ones are dropped: the probe of the other nodes finds them."""


class Relay:
    """Who is shown which documents here, and what waits to be published."""

    def __init__(self, hints: Hints) -> None:
        self._hints = hints
        self._subscribers: dict[str, set[Subscriber]] = {}
        self._unpublished: deque[Row] = deque(maxlen=MAX_UNPUBLISHED)
        self._wake = asyncio.Event()

    @property
    def documents(self) -> frozenset[str]:
        """Those that have subscribers."""
        return frozenset(self._subscribers)

    def has_subscribers(self, document_id: str) -> bool:
        """Whether anybody here is shown a document."""
        return document_id in self._subscribers

    def subscribe(self, document_id: str, subscriber: Subscriber) -> None:
        """Deliver to it from now on. Idempotent."""
        self._subscribers.setdefault(document_id, set()).add(subscriber)

    def unsubscribe(self, document_id: str, subscriber: Subscriber) -> None:
        """Deliver no more. Idempotent."""
        subscribers = self._subscribers.get(document_id, set())
        subscribers.discard(subscriber)
        if not subscribers:
            self._subscribers.pop(document_id, None)

    def show(self, document_id: str, changes: Sequence[Shown]) -> None:
        """Deliver committed changes, in this order, at once."""
        if changes:
            for subscriber in self._subscribers.get(document_id, ()):
                subscriber.deliver(document_id, changes)

    def publish(self, row: Row) -> None:
        """Tell other nodes of a row, soon. All that waits goes together."""
        self._unpublished.append(row)
        self._wake.set()

    async def run(self) -> None:
        """Publish for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            rows = list(self._unpublished)
            self._unpublished.clear()
            await self._hints.publish(rows)

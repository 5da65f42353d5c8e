"""Stored webhooks and deliveries."""

from datetime import datetime
from typing import Protocol

from collab.webhooks.model import Delivery, Outcome, Webhook

Position = tuple[datetime, str]


class WebhookStore(Protocol):
    """Each method is atomic."""

    async def add(self, webhook: Webhook, at_most: int) -> bool:
        """Store a webhook; False if its owner has ``at_most`` already."""
        ...

    async def of_owner(self, owner_id: str, limit: int, after: Position | None) -> list[Webhook]:
        """The webhooks of a person, newest first."""
        ...

    async def find(self, owner_id: str, webhook_id: str) -> Webhook | None:
        """One of somebody's own."""
        ...

    async def change(self, webhook: Webhook) -> bool:
        """Replace what can be changed. False if it is gone."""
        ...

    async def remove(self, owner_id: str, webhook_id: str) -> bool:
        """Remove one with its deliveries. False if there is none."""
        ...

    async def deliveries(self, webhook_id: str, limit: int, after: Position | None) -> list[Delivery]:
        """Deliveries, newest first."""
        ...

    async def enqueue(self, document_id: str, event: str, body: str, now: datetime, *, waiting: int) -> int:
        """Have all webhooks told that are to be told of this event of this document; returns how many those are.

        One with ``waiting`` deliveries already is told no more. That a document was changed is not said twice.
        """
        ...

    async def claim(self, now: datetime, until: datetime, limit: int) -> list[tuple[Delivery, Webhook]]:
        """Deliveries that are due, which nobody else is given before ``until``."""
        ...

    async def ended(self, delivery: Delivery, outcome: Outcome, now: datetime, *, again: datetime | None) -> bool:
        """Note how an attempt ended, and when the next one is. True if the webhook is switched off by it."""
        ...

    async def forget(self, before: datetime) -> int:
        """Remove deliveries that ended before then, and return how many there were."""
        ...

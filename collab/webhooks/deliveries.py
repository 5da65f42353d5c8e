"""Has webhooks told of what happens to documents: through the database, so that no node's death loses a delivery."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, get_args

import msgspec

from collab.settings import CollabSettings
from collab.webhooks.model import Delivery, Event, Webhook, next_attempt, secret_of, signature
from collab.webhooks.schema import Told
from collab.webhooks.sender import Sender
from collab.webhooks.store import WebhookStore
from hub.kernel.clock import Clock, to_ms

log = logging.getLogger(__name__)

BATCH = 10
"""Deliveries at once, of this node."""
LEASE = timedelta(seconds=30)
"""Three times what an attempt may take. If its node dies in it, another one makes the attempt again then."""
KEPT = timedelta(days=7)
FORGET_EVERY_S = 3600.0


class Deliveries:
    """Queues what webhooks are to be told, and tells them: at least once, in no order that holds.

    Every node runs the loop; each delivery is one node's at a time.
    """

    def __init__(
        self, store: WebhookStore, sender: Sender, clock: Clock, settings: CollabSettings, *, key: bytes
    ) -> None:
        self._store = store
        self._sender = sender
        self._clock = clock
        self._settings = settings
        self._key = key
        self._queued = asyncio.Event()

    async def enqueue(self, event: Event, document_id: str, details: Mapping[str, str | None] | None = None) -> None:
        """Have those told that want to know. Harmless for a document that is gone."""
        now = self._clock.now()
        told = msgspec.convert({"type": event, "timestamp": now, "documentId": document_id, **(details or {})}, Told)
        body = msgspec.json.encode(told).decode()
        if await self._store.enqueue(document_id, event, body, now, waiting=self._settings.webhook_waiting):
            self._queued.set()

    async def happened(self, payload: Mapping[str, Any]) -> None:
        """The sink of ``document.happened``: an event of the outbox, which may come twice."""
        event = payload["event"]
        if event in get_args(Event):
            await self.enqueue(event, payload["documentId"], payload.get("details"))

    async def deliver(self) -> int:
        """Make the attempts that are due, and return how many there were."""
        now = self._clock.now()
        claimed = await self._store.claim(now, now + LEASE, BATCH)
        await asyncio.gather(*(self._attempt(delivery, webhook) for delivery, webhook in claimed))
        return len(claimed)

    async def _attempt(self, delivery: Delivery, webhook: Webhook) -> None:
        body, timestamp_s = delivery.body.encode(), to_ms(self._clock.now()) // 1000
        headers = {
            "Content-Type": "application/json",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": signature(secret_of(self._key, webhook.id), delivery.id, timestamp_s, body),
        }
        outcome = await self._sender.send(webhook.url, headers, body)
        now = self._clock.now()
        again = None if outcome.delivered else next_attempt(delivery.attempts, now)
        if await self._store.ended(delivery, outcome, now, again=again):
            log.info("webhook %s is switched off: too many attempts have failed", webhook.id)

    async def run(self) -> None:
        """Deliver for ever, through outages of the database."""
        while True:
            self._queued.clear()
            try:
                more = await self.deliver() == BATCH
            except Exception as error:  # seconds later PostgreSQL answers again
                log.warning("webhooks are not told: %r", error)
                more = False
            if not more:
                await self._wait()

    async def forget_for_ever(self) -> None:
        """Forget old deliveries once an hour."""
        while True:
            try:
                await self._store.forget(self._clock.now() - KEPT)
            except Exception as error:
                log.warning("old deliveries of webhooks are not forgotten: %r", error)
            await asyncio.sleep(FORGET_EVERY_S)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._settings.webhook_poll_s):
                await self._queued.wait()
        except TimeoutError:
            return

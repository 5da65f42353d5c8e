"""Webhooks as their owners have them."""

import dataclasses
from datetime import datetime

from msgspec import UNSET

from collab.settings import CollabSettings
from collab.webhooks.model import Delivery, Webhook, secret_of
from collab.webhooks.schema import DeliveryView, NewWebhook, WebhookChanges, WebhookView
from collab.webhooks.store import WebhookStore
from hub.kernel.clock import Clock
from hub.kernel.errors import Conflict, NotFound
from hub.kernel.events import Actor
from hub.kernel.ids import new_uuid
from hub.kernel.pages import Page, PageQuery, decode_cursor, page
from hub.kernel.ports import Access
from hub.kernel.wire import Uuid


class Webhooks:
    """The use cases of webhooks. Whoever does not own one is told that there is none."""

    def __init__(
        self, store: WebhookStore, access: Access, clock: Clock, settings: CollabSettings, *, key: bytes
    ) -> None:
        self._store = store
        self._access = access
        self._clock = clock
        self._settings = settings
        self._key = key

    async def create(self, actor: Actor, new: NewWebhook) -> tuple[WebhookView, str]:
        """Make a webhook; the second value is its secret, which nobody is shown again.

        Raises NotFound and Forbidden for a document that is not one's own, and Conflict if one has too many.
        """
        if new.document_id is not None:
            await self._access.check(actor, "manage", "document", new.document_id)
        events = sorted(set(new.events))
        webhook = Webhook(new_uuid(), actor.user_id, new.document_id, new.url, list(events), self._clock.now())
        if not await self._store.add(webhook, self._settings.webhooks):
            raise Conflict(f"You can have {self._settings.webhooks} webhooks. Delete one first.")
        return _view(webhook), secret_of(self._key, webhook.id)

    async def list(self, actor: Actor, query: PageQuery) -> Page[WebhookView]:
        """One's own, newest first."""
        after = decode_cursor(query.cursor, tuple[datetime, Uuid]) if query.cursor else None
        rows = await self._store.of_owner(actor.user_id, query.limit + 1, after)
        return page(rows, query.limit, _view, lambda row: (row.created_at, row.id))

    async def change(self, actor: Actor, webhook_id: str, changes: WebhookChanges) -> WebhookView:
        """Change a webhook, or switch it on again. Raises NotFound."""
        webhook = await self._find(actor, webhook_id)
        if changes.url is not UNSET:
            webhook = dataclasses.replace(webhook, url=changes.url)
        if changes.events is not UNSET:
            webhook = dataclasses.replace(webhook, events=sorted(set(changes.events)))
        if changes.active is not UNSET:
            webhook = dataclasses.replace(webhook, failures=0, disabled_at=None)
        if not await self._store.change(webhook):
            raise NotFound
        return _view(webhook)

    async def remove(self, actor: Actor, webhook_id: str) -> None:
        """Tell it nothing more. Raises NotFound."""
        if not await self._store.remove(actor.user_id, webhook_id):
            raise NotFound

    async def deliveries(self, actor: Actor, webhook_id: str, query: PageQuery) -> Page[DeliveryView]:
        """What a webhook was told lately, and is to be told; newest first. Raises NotFound."""
        await self._find(actor, webhook_id)
        after = decode_cursor(query.cursor, tuple[datetime, Uuid]) if query.cursor else None
        rows = await self._store.deliveries(webhook_id, query.limit + 1, after)
        return page(rows, query.limit, _delivery_view, lambda row: (row.created_at, row.id))

    async def _find(self, actor: Actor, webhook_id: str) -> Webhook:
        webhook = await self._store.find(actor.user_id, webhook_id)
        if webhook is None:
            raise NotFound
        return webhook


def _view(webhook: Webhook) -> WebhookView:
    return WebhookView(
        id=webhook.id,
        url=webhook.url,
        events=webhook.events,
        document_id=webhook.document_id,
        created_at=webhook.created_at,
        failures=webhook.failures,
        disabled_at=webhook.disabled_at,
    )


def _delivery_view(delivery: Delivery) -> DeliveryView:
    return DeliveryView(
        id=delivery.id,
        event=delivery.event,
        document_id=delivery.document_id,
        state=delivery.state,  # type: ignore[arg-type]  # checked by the database
        attempts=delivery.attempts,
        due_at=delivery.due_at if delivery.state == "waiting" else None,
        status=delivery.status,
        error=delivery.error,
        created_at=delivery.created_at,
        ended_at=delivery.ended_at,
    )

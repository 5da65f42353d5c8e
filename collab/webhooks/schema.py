"""Webhooks on the wire, and what they are told."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from collab.webhooks.model import Event
from hub.kernel.wire import END, Uuid, Wire

Url = Annotated[
    str,
    Meta(
        max_length=2000,
        pattern=rf"^https?://[^\s/?#@\\\x00-\x20\x7f]+([/?][^\s#\\\x00-\x20\x7f]*)?{END}",
        description="http or https, without a user and a fragment",
    ),
]
Events = Annotated[list[Event], Meta(min_length=1, max_length=20)]


class NewWebhook(Wire):
    """A webhook: about one document of one's own, or without ``documentId`` about all of them."""

    url: Url
    events: Events
    document_id: Uuid | None = None


class WebhookChanges(Wire):
    """What to change. ``active: true`` switches one on that was switched off."""

    url: Url | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    active: Literal[True] | UnsetType = UNSET


class WebhookView(Wire):
    """A webhook. ``disabledAt``: it was switched off, since too many attempts had failed."""

    id: str
    url: str
    events: list[str]
    document_id: str | None
    created_at: datetime
    failures: int
    """Attempts that failed since the last success."""
    disabled_at: datetime | None
    secret: str | UnsetType = UNSET
    """Only in the first answer to its making: what deliveries are signed with, as Standard Webhooks has it."""

    def __repr__(self) -> str:
        return f"WebhookView(id={self.id!r})"  # never the secret


class DeliveryView(Wire):
    """Something that a webhook was told, or is to be told."""

    id: str
    event: str
    document_id: str
    state: Literal["waiting", "delivered", "failed"]
    attempts: int
    due_at: datetime | None
    """Of the next attempt."""
    status: int | None
    """Of the last answer."""
    error: str | None
    created_at: datetime
    ended_at: datetime | None


class Told(Wire, omit_defaults=True):
    """The body of a delivery. It names things; read them for what they are now."""

    type: Event
    timestamp: datetime
    document_id: str
    change: str | None = None
    version_id: str | None = None
    thread_id: str | None = None
    comment_id: str | None = None

"""Webhooks: what they may be told, how often it is tried, and which addresses nobody is asked at."""

import base64
import hmac
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Event = Literal[
    "document.changed",
    "document.updated",
    "document.deleted",
    "document.restored",
    "document.version",
    "comment.changed",
]
"""Its text; its title, owner, members or visibility; the deletion taken back; a version with a name."""
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 2 * 3600, 6 * 3600, 12 * 3600))
"""After each failed attempt. With the first there are eight, over 21 hours: a night's outage, and no more."""
MOST_FAILURES = 50
"""Attempts in a row that failed, of whatever deliveries, after which a webhook is switched off."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - says what follows
"""As Standard Webhooks has it."""
NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""Addresses of IPv4 in IPv6, by a translator of the network's."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told what."""

    id: str
    owner_id: str
    document_id: str | None
    """``None``: about all documents of the owner."""
    url: str
    events: list[str]
    created_at: datetime
    failures: int = 0
    disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something that a webhook is told, or is to be told."""

    id: str
    webhook_id: str
    document_id: str
    event: str
    body: str
    state: str
    attempts: int
    due_at: datetime
    status: int | None
    error: str | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: with an answer, or without one."""

    status: int | None = None
    error: str | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver said so: by a 2xx, and by nothing else."""
        return self.status is not None and 200 <= self.status < 300


def next_attempt(attempts: int, now: datetime) -> datetime | None:
    """When to try again after so many failed attempts; ``None``: never."""
    return now + PAUSES[attempts - 1] if attempts <= len(PAUSES) else None


def secret_of(key: bytes, webhook_id: str) -> str:
    """The secret of a webhook. It follows from the hub's key, so it is stored nowhere."""
    return SECRET_PREFIX + base64.b64encode(hmac.digest(key, webhook_id.encode(), "sha256")).decode()


def signature(secret: str, delivery_id: str, timestamp_s: int, body: bytes) -> str:
    """The ``webhook-signature`` of a delivery (Standard Webhooks, v1)."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{delivery_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def is_public(address: str) -> bool:
    """Whether an address is out on the Internet, and so nothing of the hub's own network can be reached by it."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast

"""Events committed together with the rows they tell of; core_api.outbox_relay delivers them."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec

Payload = dict[str, Any]
Sink = Callable[[Payload], Awaitable[None]]
"""Acts on the events of one topic.

It may see an event again, after a crash, and later than newer changes of the same row: it should read what is so now.
Unavailable (or a connection error) means "later"; anything else it raises counts against the event.
"""

INSERT = "INSERT INTO outbox (topic, payload) VALUES ($1, $2)"


async def append(connection: asyncpg.Connection, topic: str, payload: Payload) -> None:
    """Add an event in the transaction that is open on ``connection``: it will be delivered exactly if that commits.

    ``topic`` is ``domain.what_happened``. ``payload`` should name the row rather than copy it.
    """
    await connection.execute(INSERT, topic, msgspec.json.encode(payload).decode())

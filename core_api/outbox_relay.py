"""Delivers the events of the outbox: at least once, in the order of their transactions, one relay at a time."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from core_api.outbox import Payload, Sink
from hub.kernel.errors import Unavailable

log = logging.getLogger(__name__)

LOCK = 0x4F_55_54_42_4F_58
"""Advisory lock of the relay ("OUTBOX")."""
STREAM = "hub:outbox"
"""Redis stream of everything delivered, for consumers outside the hub. ``id`` is the same when an entry is repeated."""

LOOK = "SELECT EXISTS (SELECT FROM outbox)"
TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1)"
# A transaction below xmin has ended, and so has every one before it: nothing can still appear in front of these rows.
READ = """
SELECT id, topic, payload, attempts, coalesce(retry_at > clock_timestamp(), false) AS must_wait
FROM outbox
WHERE transaction < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY transaction, id
LIMIT $1
"""
DELETE = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
COUNT_ATTEMPT = """
UPDATE outbox SET attempts = attempts + 1, retry_at = clock_timestamp() + make_interval(secs => $2) WHERE id = $1
"""
BURY = """
WITH dead AS (DELETE FROM outbox WHERE id = $1 RETURNING id, topic, payload, created_at)
INSERT INTO outbox_dead (id, topic, payload, created_at, error)
SELECT id, topic, payload, created_at, $2 FROM dead
"""

OUTAGES = (
    Unavailable,
    OSError,
    TimeoutError,
    RedisConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a server killed in the middle: "cannot switch to state 12"
    asyncpg.OperatorInterventionError,  # shutting down, starting up
    asyncpg.InsufficientResourcesError,  # too many connections, disk full
)
"""What a sink raises when it is not the event's fault: such an event is tried for ever."""


class OutboxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the relay works. The defaults suit every size."""

    poll_s: float = 0.2
    """Longest wait of an event whose node died before it could nudge, or which another transaction held back."""
    batch: int = 100
    """Events of one transaction: as many may be delivered twice when a relay dies."""
    retry_s: float = 0.1
    """Wait after the first failure; it doubles with each further one."""
    retry_max_s: float = 5.0
    max_attempts: int = 10
    """Failures after which an event goes to ``outbox_dead``. Until then, 21 s, those behind it wait: order is kept."""
    stream_length: int = 10_000


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the outbox."""

    id: int
    topic: str
    payload: str
    attempts: int
    must_wait: bool


class OutboxRelay:
    """Hands each committed event to the sink of its topic, and to the Redis stream.

    Every node runs one; whichever holds the advisory lock delivers. An event is deleted after its sink returned, so one
    whose relay dies in between is delivered again. A relay that loses its database connection in the middle of a batch
    stops at the next event, which another relay may have delivered by then.
    """

    def __init__(self, pool: asyncpg.Pool, redis: Redis, settings: OutboxSettings | None = None) -> None:
        self._pool = pool
        self._redis = redis
        self._settings = settings or OutboxSettings()
        self._sinks: dict[str, Sink] = {}
        self._nudged = asyncio.Event()

    def add(self, sinks: Mapping[str, Sink]) -> None:
        """Deliver the events of these topics. Raises ValueError if a topic has its sink already.

        Topics without a sink go to the stream only.
        """
        if taken := self._sinks.keys() & sinks.keys():
            raise ValueError(f"delivered twice: {', '.join(sorted(taken))}")
        self._sinks.update(sinks)

    def nudge(self) -> None:
        """Look at once: a transaction of this node with events has committed."""
        self._nudged.set()

    async def run(self) -> None:
        """Relay for ever, through outages of both servers."""
        failures = 0
        while True:
            self._nudged.clear()  # before reading: a nudge that comes meanwhile makes for one more look
            try:
                more = await self.relay()
                failures = 0
            except Exception as error:  # whatever fails here, the events after it must still be delivered
                failures += 1
                log.warning("the outbox is not relayed: %r", error)
                await asyncio.sleep(self._pause(failures))
                continue
            if not more:
                await self._wait()

    async def relay(self) -> bool:
        """Deliver one batch, and say whether there may be more right now. False also if another relay is at work.

        Raises what is an outage of PostgreSQL, Redis or of what a sink needs; nothing counts as an attempt then.
        """
        # Nearly always there is nothing: one round trip and not five, five times a second on every node.
        if not await self._pool.fetchval(LOOK):
            return False
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(TRY_LOCK, LOCK):
                return False
            events = [Event(**row) for row in await connection.fetch(READ, self._settings.batch)]
            delivered: list[int] = []
            outage: Exception | None = None
            for event in events:
                if event.must_wait:
                    break
                try:
                    await self._deliver(connection, event)
                except OUTAGES as error:
                    outage = error
                    break
                except Exception as error:  # a sink may fail in any way; which one it is decides nothing
                    if not await self._failed(connection, event, error):
                        break
                else:
                    delivered.append(event.id)
            await connection.execute(DELETE, delivered)
        if outage is not None:
            raise outage
        return len(delivered) == self._settings.batch

    async def _deliver(self, connection: asyncpg.Connection, event: Event) -> None:
        if connection.is_closed():  # the lock went with it
            raise Unavailable
        if event.attempts == 0:
            # First, so that with Redis away the sink has not reached half of its audience already. Once is enough:
            # an attempt is counted only if this succeeded.
            await self._announce(event)
        if (sink := self._sinks.get(event.topic)) is not None:
            payload: Payload = msgspec.json.decode(event.payload)
            await sink(payload)

    async def _announce(self, event: Event) -> None:
        fields: dict[Any, Any] = {"id": event.id, "topic": event.topic, "payload": event.payload}
        try:
            await self._redis.xadd(STREAM, fields, maxlen=self._settings.stream_length, approximate=True)
        except RedisError as error:
            raise Unavailable from error

    async def _failed(self, connection: asyncpg.Connection, event: Event, error: Exception) -> bool:
        """Count an attempt, or give the event up. Returns whether those behind it may go on."""
        attempts = event.attempts + 1
        if attempts < self._settings.max_attempts:
            log.warning("outbox event %d (%s) failed, attempt %d", event.id, event.topic, attempts, exc_info=error)
            await connection.execute(COUNT_ATTEMPT, event.id, self._pause(attempts))
            return False
        log.error("outbox event %d (%s) goes to outbox_dead", event.id, event.topic, exc_info=error)
        await connection.execute(BURY, event.id, repr(error))
        return True

    def _pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        doublings = min(failures - 1, 16)  # beyond it the float would outgrow make_interval, in a long outage
        return min(self._settings.retry_max_s, self._settings.retry_s * 2.0**doublings)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._settings.poll_s):
                await self._nudged.wait()
        except TimeoutError:
            pass  # time to look again

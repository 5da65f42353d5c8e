"""What exceptions of the database and Redis clients mean: an outage, an impossible value, or a bug of ours."""

import asyncio
import logging

import asyncpg
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hub.kernel.errors import HubError, InvalidPayload, Overloaded, Unavailable

log = logging.getLogger(__name__)

OUTAGES = (
    OSError,
    TimeoutError,
    asyncio.TimeoutError,
    RedisConnectionError,
    RedisTimeoutError,
    ReadOnlyError,  # a failover: the primary we knew is a replica now
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a server killed in the middle: "cannot switch to state 12"
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,  # too many connections, out of memory, disk full
    asyncpg.ReadOnlySQLTransactionError,  # a failover
)
UVLOOP_CLOSED = "the handler is closed"
"""In the RuntimeError of uvloop for a write to a connection that has just been lost."""


def as_hub_error(error: BaseException) -> HubError | None:
    """The error to show a client, or ``None`` for what is a bug of ours.

    A HubError is shown as it is, an outage as Unavailable. A value that PostgreSQL cannot hold, a zero character or a
    number out of range, is the client's: InvalidPayload. It is logged, since a schema should have said so before.
    """
    if isinstance(error, HubError):
        return error
    if _is_outage(error):
        return Unavailable()
    if isinstance(error, asyncpg.DataError):
        log.warning("a value that cannot be stored was not refused before: %s", error)
        return InvalidPayload("A value in the payload cannot be stored.", errors=[])
    return None


def client_error(error: BaseException, where: str) -> HubError:
    """What the client is told of an exception; what is not meant for clients is logged, with where it happened."""
    known = as_hub_error(error)
    if known is None:
        log.error("%s failed", where[:80], exc_info=error)
        return HubError()
    if isinstance(known, Unavailable | Overloaded):
        log.warning("%s: %s", where[:80], error)
    return known


def _is_outage(error: BaseException) -> bool:
    return (
        isinstance(error, OUTAGES)
        or (isinstance(error, RedisError) and "LOADING" in str(error))
        or (isinstance(error, RuntimeError) and UVLOOP_CLOSED in str(error))
    )

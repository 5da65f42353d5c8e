"""Which exceptions of the database and Redis clients mean an outage rather than a bug."""

import asyncio

import asyncpg
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hub.kernel.errors import HubError, Unavailable

OUTAGES = (
    OSError,
    TimeoutError,
    asyncio.TimeoutError,
    RedisConnectionError,
    RedisTimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a server killed in the middle: "cannot switch to state 12"
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)


def as_hub_error(error: BaseException) -> HubError | None:
    """The error to show a client: itself, Unavailable for an outage, or ``None`` for what is a bug of ours."""
    if isinstance(error, HubError):
        return error
    if isinstance(error, OUTAGES) or (isinstance(error, RedisError) and "LOADING" in str(error)):
        return Unavailable()
    return None

"""Rate limits shared by all nodes: GCRA, one Redis function a request."""

import logging

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.kernel.errors import RateLimited

log = logging.getLogger(__name__)

# Generic cell rate algorithm on Redis's own clock: the key holds the theoretical arrival time of the next request, in
# ms. Answers 0, or the milliseconds to wait.
TAKE = """
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local wait = arrival - interval * (burst - 1) - now
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.3f', arrival + interval), 'PX', math.ceil(arrival + interval - now))
return 0
"""


class RedisRateLimiter:
    """Implements hub.kernel.ports.RateLimiter."""

    def __init__(self, redis: Redis) -> None:
        self._take = redis.register_script(TAKE)

    async def take(self, key: str, *, per_minute: int, burst: int) -> None:
        """Take one from the allowance of ``key``. Raises RateLimited with the seconds to wait."""
        try:
            wait_ms = await self._take(keys=[f"hub:limit:{key}"], args=[60_000 / per_minute, burst])
        except (RedisError, OSError) as error:
            log.warning("rate limits are off while Redis does not answer: %s", error)
            return
        if wait_ms:
            raise RateLimited(retry_after=wait_ms / 1000)

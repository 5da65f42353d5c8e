"""Allowances in Redis, shared by all nodes: GCRA by one Lua function."""

import logging
from typing import NamedTuple
from zlib import crc32

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.kernel.errors import RateLimited, Unavailable

log = logging.getLogger(__name__)

PARTS = 16
"""Hash tags of the keys. One call takes the keys of one part, so that it also works where keys have slots."""
NO_MOST = -1

KEPT_MS = 60_000
"""How long a TAT is kept when it is past: it still counts for what nodes took before and report later."""

# GCRA on Redis's own clock: a key holds its theoretical arrival time (TAT) in ms. Three arguments
# for each key say what was taken, as hub.gate.allowance has it: by how much it moves the TAT, where the TAT would be
# from now without any before, and the debt that may be had, or -1 for what has happened already. Answers the debt in
# ms: how far the TAT is ahead; or, for what was refused, how far it would be over the most, as "-ms".
CHARGE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local kept = tonumber(ARGV[1])
local answers = {}
for i, key in ipairs(KEYS) do
  local cost, debt, most = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local arrival = tonumber(redis.call('GET', key) or '')
  if arrival then debt = math.max(arrival - now + cost, debt) end
  if most >= 0 and debt > most then
    answers[i] = string.format('%.3f', most - debt)
  else
    local life = math.ceil(debt + kept)
    if life > 0 then redis.call('SET', key, string.format('%.3f', now + debt), 'PX', life) end
    answers[i] = string.format('%.3f', debt)
  end
end
return answers
"""


class Charge(NamedTuple):
    """What a node let through of one key's allowance, in seconds; see hub.gate.allowance."""

    key: str
    cost: float
    own: float


class RedisLedger:
    """The TAT of every key over all nodes. Implements hub.gate.limits.Ledger."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._charge = redis.register_script(CHARGE)

    async def charge(self, charges: list[Charge]) -> list[float]:
        """Add what has happened, and give the debt of each key, in seconds. Raises Unavailable.

        One round trip for all of them, and each is added at once or, if it is Unavailable, perhaps.
        """
        parts: dict[int, list[int]] = {}
        for index, charge in enumerate(charges):
            parts.setdefault(_part(charge.key), []).append(index)
        debts = [0.0] * len(charges)
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for indexes in parts.values():
                    chosen = [charges[index] for index in indexes]
                    numbers = [number for one in chosen for number in (1000 * one.cost, 1000 * one.own, NO_MOST)]
                    await self._charge(keys=[_key(one.key) for one in chosen], args=[KEPT_MS, *numbers], client=pipe)
                answers = await pipe.execute()
        except (RedisError, OSError) as error:
            raise Unavailable from error
        for indexes, answer in zip(parts.values(), answers, strict=True):
            for index, debt in zip(indexes, answer, strict=True):
                debts[index] = float(debt) / 1000
        return debts


class RedisRateLimiter:
    """Implements hub.kernel.ports.RateLimiter: exact, for one round trip."""

    def __init__(self, redis: Redis) -> None:
        self._charge = redis.register_script(CHARGE)

    async def take(self, key: str, *, per_minute: int, burst: int) -> None:
        """Take one from the allowance of ``key``. Raises RateLimited with the seconds to wait."""
        interval_ms = 60_000 / per_minute
        numbers = interval_ms, interval_ms, burst * interval_ms
        try:
            answers = await self._charge(keys=[_key(key)], args=[KEPT_MS, *numbers])
        except (RedisError, OSError) as error:
            log.warning("this limit is off while Redis does not answer: %s", error)
            return
        if (left_ms := float(answers[0])) < 0:
            raise RateLimited(retry_after=-left_ms / 1000)


def _part(key: str) -> int:
    return crc32(key.encode()) % PARTS


def _key(key: str) -> str:
    return f"hub:limit:{{{_part(key)}}}:{key}"

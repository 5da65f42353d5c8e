"""hub.gate.rate_limits on a real Valkey: the function that all nodes share, and two nodes that agree through it."""

import asyncio

import pytest
from redis.asyncio import Redis

from hub.gate.limit_rules import rules
from hub.gate.limits import SharedLimits
from hub.gate.rate_limits import PARTS, Charge, RedisLedger, RedisRateLimiter
from hub.kernel.errors import RateLimited, Unavailable
from hub.kernel.limits import Declared, Limit
from hub.kernel.tasks import Tasks
from hub.storage.redis import connect
from tests.support.wait import until

EVENT = "room:send"


def a_node(redis: Redis, limit: Limit) -> SharedLimits:
    declared = rules({EVENT: Declared(limit)}, address_users=0)
    return SharedLimits(declared, RedisLedger(redis), uncapped=())


def passed(node: SharedLimits, count: int) -> int:
    return sum(node.wait(EVENT, "ada", None) == 0 for _ in range(count))


async def test_charges_add_up_and_each_key_has_its_own_debt(redis: Redis) -> None:
    ledger = RedisLedger(redis)
    assert await ledger.charge([Charge("a", 2.0, 2.0), Charge("b", 5.0, 5.0)]) == [2.0, 5.0]
    debts = await ledger.charge([Charge("b", 1.0, 1.0), Charge("a", 3.0, 3.0)])
    assert debts == [pytest.approx(6.0, abs=0.5), pytest.approx(5.0, abs=0.5)]


async def test_the_answers_stand_in_the_order_of_the_keys_whatever_part_they_are_in(redis: Redis) -> None:
    charges = [Charge(f"key{number}", 10.0 + number, 10.0 + number) for number in range(5 * PARTS)]
    assert await RedisLedger(redis).charge(charges) == [10.0 + number for number in range(5 * PARTS)]


async def test_what_was_taken_long_ago_is_no_debt_but_moves_a_debt_that_others_have(redis: Redis) -> None:
    ledger = RedisLedger(redis)
    assert await ledger.charge([Charge("quiet", 3.0, -20.0)]) == [-20.0]
    await ledger.charge([Charge("busy", 10.0, 10.0)])
    assert await ledger.charge([Charge("busy", 3.0, -20.0)]) == [pytest.approx(13.0, abs=0.5)]


async def test_a_key_lives_a_minute_longer_than_its_debt(redis: Redis) -> None:
    await RedisLedger(redis).charge([Charge("ada", 5.0, 5.0), Charge("over", 1.0, -61.0)])
    (key,) = await redis.keys("hub:limit:*")
    assert 60_000 < await redis.pttl(key) <= 65_000


async def test_the_exact_limiter_and_the_reports_count_the_same_key(redis: Redis) -> None:
    limiter = RedisRateLimiter(redis)
    await RedisLedger(redis).charge([Charge("ada", 9.0, 9.0)])
    await limiter.take("ada", per_minute=60, burst=10)
    with pytest.raises(RateLimited) as caught:
        await limiter.take("ada", per_minute=60, burst=10)
    assert caught.value.retry_after == pytest.approx(1.0, abs=0.5)


async def test_a_ledger_without_redis_says_so() -> None:
    with pytest.raises(Unavailable):
        await RedisLedger(connect("unix:///nowhere/v.sock", size=2)).charge([Charge("ada", 1.0, 1.0)])


async def test_a_node_learns_what_another_took_when_it_has_a_tenth_to_report(redis: Redis) -> None:
    limit = Limit(per_minute=6, burst=100)
    one, other = a_node(redis, limit), a_node(redis, limit)
    assert passed(one, 95) == 95
    await one.report()
    assert passed(other, 10) == 10
    assert other.wait(EVENT, "ada", None) == 0, "it has not asked yet"
    await other.report()
    assert other.wait(EVENT, "ada", None) == pytest.approx(70.0, abs=1.0)  # 106 of 100 are taken, and 1 in 10 s is back


async def test_two_nodes_agree_on_what_is_left_by_themselves(redis: Redis) -> None:
    tasks, limit = Tasks(), Limit(per_minute=6, burst=100)
    one, other = a_node(redis, limit), a_node(redis, limit)
    one.start(tasks)
    other.start(tasks)
    try:
        assert passed(one, 95) == 95
        assert passed(other, 10) == 10
        await until(lambda: not passed(one, 1))
        await until(lambda: not passed(other, 1))
    finally:
        await tasks.close()


async def test_a_node_without_redis_limits_by_itself_and_reports_again_when_it_is_back(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = RedisLedger(redis)
    charge, away = ledger.charge, asyncio.Event()

    async def broken(charges: list[Charge]) -> list[float]:
        away.set()
        raise Unavailable

    monkeypatch.setattr(ledger, "charge", broken)
    declared = rules({EVENT: Declared(Limit(per_minute=600, burst=20))}, address_users=0)
    node = SharedLimits(declared, ledger, uncapped=())
    tasks = Tasks()
    node.start(tasks)
    try:
        assert passed(node, 30) == 20
        await away.wait()
        monkeypatch.setattr(ledger, "charge", charge)

        async def is_reported() -> bool:
            passed(node, 1)
            return bool(await redis.keys("hub:limit:*"))

        await until(is_reported)
    finally:
        await tasks.close()

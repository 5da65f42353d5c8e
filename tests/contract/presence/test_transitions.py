"""What presence.transitions.Transitions promises, against a real Valkey."""

from typing import Any

import pytest
from redis.asyncio import Redis

from hub.kernel.errors import Unavailable
from presence.transitions import EntryId, Overdue
from presence.transitions_redis import AT_ONCE, RedisTransitions
from tests.support.wait import until

KEYS = ["{a}:transitions", "{b}:transitions"]


async def add(redis: Redis, key: str, entry: str = "*", **fields: str) -> str:
    added = await redis.xadd(key, dict[Any, Any](fields), id=entry)
    assert isinstance(added, bytes)
    return added.decode()


async def test_what_is_older_than_asked_for_is_overdue_with_all_that_was_written_down(redis: Redis) -> None:
    transitions = RedisTransitions(redis, KEYS)
    seconds, _ = await redis.time()
    old = await add(redis, KEYS[1], f"{seconds - 60}000-0", user="ann", text="schläft")
    await add(redis, KEYS[1], user="ben")
    await add(redis, KEYS[0], user="cy")
    [overdue] = await transitions.overdue(30)
    assert overdue.entry == EntryId(1, old)
    assert overdue.fields == {"user": "ann", "text": "schläft"}
    assert 59 < overdue.age_s < 70


async def test_each_part_gives_its_oldest_and_a_bounded_number(redis: Redis) -> None:
    transitions = RedisTransitions(redis, KEYS)
    for number in range(AT_ONCE + 20):
        await add(redis, KEYS[0], number=str(number))
    last = await add(redis, KEYS[1], number="last")
    found = await transitions.overdue(0)
    assert [int(one.fields["number"]) for one in found[:-1]] == list(range(AT_ONCE))
    assert found[-1].entry == EntryId(1, last)


async def test_what_was_removed_is_not_overdue_and_removing_is_idempotent(redis: Redis) -> None:
    transitions = RedisTransitions(redis, KEYS)
    entries = [EntryId(part, await add(redis, KEYS[part], at=str(part))) for part in (1, 0, 1)]
    await transitions.remove([])
    await transitions.remove(entries[:2])
    await transitions.remove(entries[:2])
    assert [one.entry for one in await transitions.overdue(0)] == entries[2:]


async def test_without_redis_both_say_unavailable() -> None:
    async with Redis.from_url("redis://127.0.0.1:1") as nowhere:
        transitions = RedisTransitions(nowhere, KEYS)
        with pytest.raises(Unavailable):
            await transitions.overdue(0)
        with pytest.raises(Unavailable):
            await transitions.remove([EntryId(0, "1-0")])


async def test_a_transition_becomes_overdue_by_waiting(redis: Redis) -> None:
    transitions = RedisTransitions(redis, KEYS)
    await add(redis, KEYS[0], user="ann")
    assert await transitions.overdue(0.2) == []

    async def overdue() -> list[Overdue]:
        return await transitions.overdue(0.2)

    assert len(await until(overdue)) == 1

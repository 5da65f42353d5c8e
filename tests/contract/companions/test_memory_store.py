"""core_api.companions.memory_store_postgres on a real PostgreSQL."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from core_api.companions.memory_store import MindVersion, NewMemory, Outcome
from core_api.companions.memory_store_postgres import PostgresMemories
from hub.kernel.ids import new_uuid
from tests.support.clock import FrozenClock
from tests.support.memories import memory, new_companion, vector

NOW = FrozenClock().now()
LATER = NOW + timedelta(hours=1)
MODEL = "words 1"


@pytest.fixture
def store(pool: asyncpg.Pool) -> PostgresMemories:
    return PostgresMemories(pool)


@pytest.fixture
async def companion(pool: asyncpg.Pool) -> str:
    return await new_companion(pool)


async def add(
    store: PostgresMemories,
    companion: str,
    *memories: NewMemory,
    message: str | None = None,
    seen: int | None = None,
    capacity: int = 100,
    later: float = 0,
) -> Outcome:
    now = NOW + timedelta(seconds=later)
    return await store.add(companion, message or new_uuid(), memories, now, seen=seen, capacity=capacity)


async def texts(store: PostgresMemories, companion: str) -> list[str]:
    return [memory.text for memory in await store.page(companion, None, 100)]


async def test_a_memory_comes_back_as_it_was_kept(store: PostgresMemories, companion: str) -> None:
    new = memory("I like tea.", (0.6, 0.8), importance=0.45)
    assert await add(store, companion, new) == "kept"
    (listed,) = await store.page(companion, None, 10)
    assert (listed.id, listed.text, listed.importance) == (new.id, "I like tea.", 0.45)
    assert (listed.created_at, listed.said_at, listed.last_recalled_at, listed.recall_count) == (NOW, NOW, None, 0)
    (trace,) = await store.traces(companion, MODEL, (0, 0), 10)
    assert (trace.number, trace.version, trace.embedding) == (listed.number, 1, new.vector.data)
    assert await store.memories(companion, [listed.number, 999]) == [listed]


async def test_a_message_is_kept_once_however_often_and_wherever_it_comes(
    store: PostgresMemories, companion: str
) -> None:
    message = new_uuid()
    outcomes = await asyncio.gather(*(add(store, companion, memory(), memory("x"), message=message) for _ in range(8)))
    assert sorted(outcomes) == ["kept", *["repeated"] * 7]
    assert len(await texts(store, companion)) == 2
    assert await store.version(companion) == MindVersion(1, 0)


async def test_every_change_has_the_next_version_whoever_comes_at_once(store: PostgresMemories, companion: str) -> None:
    await asyncio.gather(*(add(store, companion, memory(str(number))) for number in range(20)))
    traces = await store.traces(companion, MODEL, (0, 0), 100)
    assert [trace.version for trace in traces] == list(range(1, 21))
    assert (await store.version(companion)).version == 20


async def test_of_several_that_compared_with_the_same_version_one_is_kept(
    store: PostgresMemories, companion: str
) -> None:
    outcomes = await asyncio.gather(*(add(store, companion, memory(), seen=0) for _ in range(6)))
    assert sorted(outcomes) == ["kept", *["outdated"] * 5]
    message = new_uuid()
    assert await add(store, companion, memory(), message=message, seen=0) == "outdated"
    assert await add(store, companion, memory(), message=message, seen=1) == "kept"


async def test_a_replaced_memory_keeps_its_id_and_its_greater_importance(
    store: PostgresMemories, companion: str
) -> None:
    old = memory("I have two kids", importance=0.6)
    await add(store, companion, old)
    (before,) = await store.page(companion, None, 10)
    await add(store, companion, memory("I have three kids", importance=0.3, replaces=before.number), later=60)
    (after,) = await store.page(companion, None, 10)
    assert (after.id, after.number, after.text, after.importance) == (old.id, before.number, "I have three kids", 0.6)
    assert (after.created_at, after.said_at) == (NOW, NOW + timedelta(seconds=60))
    (trace,) = await store.traces(companion, MODEL, (1, 999), 10)
    assert trace.version == 2


async def test_what_was_to_be_replaced_and_is_gone_or_anothers_is_added(
    store: PostgresMemories, pool: asyncpg.Pool, companion: str
) -> None:
    other = await new_companion(pool)
    await add(store, other, memory("theirs"))
    (theirs,) = await store.page(other, None, 10)
    await add(store, companion, memory("mine", replaces=theirs.number))
    assert await texts(store, companion) == ["mine"]
    assert await texts(store, other) == ["theirs"]


async def test_above_the_capacity_the_least_important_and_of_those_the_oldest_go(
    store: PostgresMemories, companion: str
) -> None:
    for number, importance in enumerate([0.9, 0.3, 0.3, 0.5]):
        await add(store, companion, memory(str(number), importance=importance), later=number, capacity=4)
    await add(store, companion, memory("new", importance=0.1), capacity=4, later=9)
    assert await texts(store, companion) == ["new", "3", "2", "0"]
    assert await store.version(companion) == MindVersion(5, 5)
    await add(store, companion, memory("newer", importance=0.1), capacity=4, later=10)
    assert await texts(store, companion) == ["newer", "3", "2", "0"]


async def test_a_full_memory_makes_a_hundredth_of_room(store: PostgresMemories, companion: str) -> None:
    await add(store, companion, *(memory(str(number)) for number in range(300)), capacity=300)
    await add(store, companion, memory("new"), capacity=300)
    assert len(await store.numbers(companion)) == 297
    await add(store, companion, memory("newer"), capacity=300)
    assert len(await store.numbers(companion)) == 298


async def test_a_forgotten_memory_is_gone_and_its_message_does_not_bring_it_back(
    store: PostgresMemories, companion: str
) -> None:
    message, new = new_uuid(), memory()
    await add(store, companion, new, message=message)
    assert sorted(await asyncio.gather(*(store.forget(companion, new.id) for _ in range(4)))) == [False] * 3 + [True]
    assert await store.version(companion) == MindVersion(2, 2)
    assert await store.numbers(companion) == []
    assert await add(store, companion, memory(), message=message) == "repeated"


async def test_a_memory_can_be_forgotten_read_and_counted_only_in_its_companion(
    store: PostgresMemories, pool: asyncpg.Pool, companion: str
) -> None:
    other, new = await new_companion(pool), memory()
    await add(store, companion, new)
    (mine,) = await store.page(companion, None, 10)
    assert not await store.forget(other, new.id)
    assert await store.memories(other, [mine.number]) == []
    await store.note_recalled(other, [mine.number], LATER)
    await store.embed_again(other, [(mine.number, mine.text, vector(0.0, 1.0, model_id="words 2"))])
    assert await store.foreign(companion, MODEL, 0, 10) == []
    assert await store.page(companion, None, 10) == [mine]
    assert await store.version(companion) == MindVersion(1, 0)


async def test_a_recall_is_counted_and_changes_no_version(store: PostgresMemories, companion: str) -> None:
    await add(store, companion, memory("a"), memory("b"))
    first, second = await store.numbers(companion)
    await asyncio.gather(*(store.note_recalled(companion, pair, LATER) for pair in ([first, second], [second, first])))
    await store.note_recalled(companion, [first], LATER)
    (_, counted) = await store.page(companion, None, 10)
    assert counted.last_recalled_at == LATER
    assert counted.recall_count >= 2
    assert (await store.version(companion)).version == 1


async def test_traces_and_pages_come_piece_by_piece_without_gap_or_repeat(
    store: PostgresMemories, companion: str
) -> None:
    await add(store, companion, *(memory(str(number)) for number in range(5)))
    await add(store, companion, memory("5"), memory("6"))
    position, numbers = (0, 0), []
    while traces := await store.traces(companion, MODEL, position, 2):
        numbers += [trace.number for trace in traces]
        position = (traces[-1].version, traces[-1].number)
    assert numbers == sorted(await store.numbers(companion))
    before, listed = None, []
    while page := await store.page(companion, before, 3):
        listed += [memory.number for memory in page]
        before = page[-1].number
    assert listed == numbers[::-1]


async def test_vectors_of_another_model_are_not_given_until_they_are_made_again(
    store: PostgresMemories, companion: str
) -> None:
    await add(store, companion, memory("a", model_id="old"), memory("b", model_id="old"), memory("c"))
    found = await store.foreign(companion, MODEL, 0, 10)
    assert [text for _, text in found] == ["a", "b"]
    assert await store.foreign(companion, MODEL, found[0][0], 1) == [found[1]]
    assert [trace.embedding is None for trace in await store.traces(companion, MODEL, (0, 0), 10)] == [
        True,
        True,
        False,
    ]
    again = vector(0.0, 1.0)
    await store.embed_again(companion, [(found[0][0], "a", again), (found[1][0], "changed meanwhile", again)])
    assert await store.foreign(companion, MODEL, 0, 10) == [found[1]]
    assert [(t.number, t.version, t.embedding) for t in await store.traces(companion, MODEL, (1, 999), 10)] == [
        (found[0][0], 2, again.data)
    ]


async def test_a_deleted_companion_takes_its_memories_along_and_gets_no_new_ones(
    store: PostgresMemories, pool: asyncpg.Pool, companion: str
) -> None:
    new = memory()
    await add(store, companion, new)
    await pool.execute("DELETE FROM companion WHERE id = $1", companion)
    assert await add(store, companion, memory()) == "gone"
    assert not await store.forget(companion, new.id)
    await store.embed_again(companion, [(1, "x", vector(1.0))])
    left = "SELECT (SELECT count(*) FROM companion_mind) + (SELECT count(*) FROM companion_memory)"
    assert await pool.fetchval(f"{left} + (SELECT count(*) FROM companion_memory_message)") == 0


async def test_deleting_and_remembering_at_once_end_without_a_deadlock(
    store: PostgresMemories, pool: asyncpg.Pool
) -> None:
    for _ in range(10):
        companion = await new_companion(pool)
        await add(store, companion, memory())
        adding = (add(store, companion, memory()) for _ in range(4))
        await asyncio.gather(*adding, pool.execute("DELETE FROM companion WHERE id = $1", companion))
        assert await store.numbers(companion) == []

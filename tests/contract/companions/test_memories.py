"""Remembering and recalling over a real PostgreSQL, as several nodes do it. Embeddings are the test's, but for one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import asyncpg
import msgspec
import pytest

from core_api.companions.embeddings import Embedder, Matrix
from core_api.companions.embeddings_packaged import PackagedEmbedder
from core_api.companions.memories import AT_A_TIME, Memories
from core_api.companions.memory_settings import MemorySettings
from core_api.companions.memory_store_postgres import PostgresMemories
from hub.kernel.errors import InvalidPayload, NotFound, Overloaded
from hub.kernel.ids import new_uuid
from hub.kernel.pages import PageQuery
from hub.kernel.tasks import Tasks
from tests.support.clock import FrozenClock
from tests.support.embedder import WordEmbedder
from tests.support.memories import new_companion
from tests.support.wait import until

Node = Callable[..., Memories]
REST = 2
"""Memories of another model that do not fit into the first transaction."""


@pytest.fixture
async def companion(pool: asyncpg.Pool) -> str:
    return await new_companion(pool)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
async def node(pool: asyncpg.Pool, clock: FrozenClock) -> AsyncIterator[Node]:
    """Makes the memories of one more node."""
    tasks = Tasks()

    def make(embedder: Embedder | None = None, **settings: int) -> Memories:
        changed = msgspec.structs.replace(MemorySettings(), **settings)
        return Memories(PostgresMemories(pool), embedder or WordEmbedder(), tasks, clock, changed)

    yield make
    await tasks.close()


@pytest.fixture(scope="module")
def packaged() -> Iterator[PackagedEmbedder]:
    embedder = PackagedEmbedder(queue=64)
    yield embedder
    embedder.close()


async def recalled(memories: Memories, companion: str, text: str, limit: int = 5) -> list[str]:
    return [memory.text for memory in await memories.recall(companion, text, limit)]


async def listed(memories: Memories, companion: str) -> list[str]:
    return [memory.text for memory in (await memories.page(companion, PageQuery(limit=100))).data]


async def test_questions_find_what_was_said_with_the_real_model(
    node: Node, companion: str, packaged: PackagedEmbedder
) -> None:
    memories = node(packaged)
    for said in ("Hi! I am allergic to peanuts.", "My sister Clara lives in Lisbon.", "I love Radiohead. Do you?"):
        await memories.remember(companion, new_uuid(), said)
    for question, answer in (
        ("What can't I eat?", "I am allergic to peanuts."),
        ("where does my sister live", "My sister Clara lives in Lisbon."),
        ("Which music do I like?", "I love Radiohead."),
    ):
        assert (await recalled(memories, companion, question))[0] == answer
    assert await recalled(memories, companion, "hello") == []
    await memories.remember(companion, new_uuid(), "My sister Clara lives in Lisbon now!")
    await memories.remember(companion, new_uuid(), "My brother is allergic to peanuts.")
    assert await listed(memories, companion) == [
        "My brother is allergic to peanuts.",
        "I love Radiohead.",
        "My sister Clara lives in Lisbon now!",
        "I am allergic to peanuts.",
    ]


async def test_a_companion_never_recalls_what_another_was_told_however_near(
    node: Node, pool: asyncpg.Pool, companion: str
) -> None:
    memories, other = node(), await new_companion(pool)
    for number in range(20):
        await memories.remember(other, new_uuid(), f"I like tea from place{number}")
    await memories.remember(other, new_uuid(), "I like tea")
    await memories.remember(companion, new_uuid(), "I like strong coffee")
    assert await recalled(memories, companion, "I like tea") == ["I like strong coffee"]
    assert await recalled(node(), companion, "I like tea", 100) == ["I like strong coffee"]
    assert await recalled(memories, await new_companion(pool), "I like tea") == []


async def test_what_is_not_worth_keeping_costs_nothing(node: Node, companion: str) -> None:
    embedder = WordEmbedder()
    await node(embedder).remember(companion, new_uuid(), "Hello, how are you?")
    assert embedder.embedded == []


async def test_a_message_is_remembered_once_also_on_two_nodes_at_once(node: Node, companion: str) -> None:
    nodes, message = (node(), node()), new_uuid()
    await asyncio.gather(*(one.remember(companion, message, "I like tea. My cat is old.") for one in nodes * 3))
    assert sorted(await listed(nodes[0], companion)) == ["I like tea.", "My cat is old."]


async def test_a_repeat_after_a_correction_does_not_bring_the_old_words_back(node: Node, companion: str) -> None:
    memories, message = node(), new_uuid()
    await memories.remember(companion, message, "I have two very sweet little kids now")
    await memories.remember(companion, new_uuid(), "I have three very sweet little kids now")
    await memories.remember(companion, message, "I have two very sweet little kids now")
    assert await listed(memories, companion) == ["I have three very sweet little kids now"]


async def test_nodes_see_at_once_what_others_add_correct_and_forget(node: Node, companion: str) -> None:
    one, other = node(), node()
    await one.remember(companion, new_uuid(), "I like tea")
    assert await recalled(other, companion, "I like tea") == ["I like tea"]
    await one.remember(companion, new_uuid(), "I like strong coffee")
    assert await recalled(other, companion, "I like coffee") == ["I like strong coffee", "I like tea"]
    await other.remember(companion, new_uuid(), "Well, I like tea!")
    assert await recalled(one, companion, "I like tea", 1) == ["I like tea!"]
    (tea, _) = await one.recall(companion, "I like tea", 5)
    await other.forget(companion, tea.id)
    assert await recalled(one, companion, "I like tea") == ["I like strong coffee"]
    assert await recalled(other, companion, "I like tea") == ["I like strong coffee"]


async def test_the_same_statement_in_two_messages_on_two_nodes_at_once_is_one_memory(
    node: Node, companion: str
) -> None:
    nodes = [node() for _ in range(4)]
    await asyncio.gather(*(one.remember(companion, new_uuid(), "I like tea") for one in nodes))
    assert await listed(nodes[0], companion) == ["I like tea"]


async def test_two_nodes_that_add_different_things_at_once_lose_nothing(node: Node, companion: str) -> None:
    nodes = [node(), node()]
    said = [f"My friend{number} owns item{number} indeed{number}" for number in range(12)]
    await asyncio.gather(*(nodes[number % 2].remember(companion, new_uuid(), text) for number, text in enumerate(said)))
    assert sorted(await listed(nodes[0], companion)) == sorted(said)
    for one in nodes:
        assert (await recalled(one, companion, said[7]))[0] == said[7]


async def test_newer_and_weightier_memories_come_first(node: Node, companion: str, clock: FrozenClock) -> None:
    memories = node()
    await memories.remember(companion, new_uuid(), "I saw a red bird")
    clock.advance(14 * 86_400)
    await memories.remember(companion, new_uuid(), "I saw a blue bird")
    await memories.remember(companion, new_uuid(), "I saw a doctor: asthma")
    found = await recalled(memories, companion, "I saw a")
    assert found == ["I saw a doctor: asthma", "I saw a blue bird", "I saw a red bird"]


async def test_recalls_are_counted_for_the_owner_to_see(node: Node, companion: str, clock: FrozenClock) -> None:
    memories = node()
    await memories.remember(companion, new_uuid(), "I like tea")
    clock.advance(60)
    await memories.recall(companion, "I like tea", 5)

    async def counted() -> bool:
        (view,) = (await memories.page(companion, PageQuery())).data
        return (view.recall_count, view.last_recalled_at) == (1, clock.now())

    await until(counted)


async def test_forgetting_what_is_not_there_is_not_found(node: Node, pool: asyncpg.Pool, companion: str) -> None:
    memories, other = node(), await new_companion(pool)
    await memories.remember(companion, new_uuid(), "I like tea")
    (mine,) = await memories.recall(companion, "I like tea", 1)
    with pytest.raises(NotFound):
        await memories.forget(companion, new_uuid())
    with pytest.raises(NotFound):
        await memories.forget(other, mine.id)
    assert await listed(memories, companion) == ["I like tea"]


async def test_pages_go_from_the_newest_to_the_oldest(node: Node, companion: str) -> None:
    memories = node()
    for number in range(5):
        await memories.remember(companion, new_uuid(), f"My thing{number} has feature{number} today{number}")
    first = await memories.page(companion, PageQuery(limit=3))
    second = await memories.page(companion, PageQuery(limit=3, cursor=first.page_info.next_cursor))
    assert [view.text[2 + 3 : 2 + 7] for view in (*first.data, *second.data)] == [f"ing{n}" for n in (4, 3, 2, 1, 0)]
    assert not second.page_info.has_next
    with pytest.raises(InvalidPayload):
        await memories.page(companion, PageQuery(cursor="nonsense"))


async def test_past_the_capacity_the_least_important_are_no_longer_recalled(node: Node, companion: str) -> None:
    one, other = node(capacity=2), node(capacity=2)
    await one.remember(companion, new_uuid(), "I like tea")
    assert await recalled(other, companion, "I like tea") == ["I like tea"]
    await one.remember(companion, new_uuid(), "My daughter has asthma")
    await one.remember(companion, new_uuid(), "My name is Ada")
    assert await listed(one, companion) == ["My name is Ada", "My daughter has asthma"]
    for memories in (one, other):
        assert await recalled(memories, companion, "I like tea") == []


async def test_a_small_budget_forgets_no_memory(node: Node, pool: asyncpg.Pool) -> None:
    memories = node(hot_bytes=1)
    companions = [await new_companion(pool) for _ in range(3)]
    for companion in companions * 2:
        await memories.remember(companion, new_uuid(), "I like tea")
    for companion in companions:
        assert await recalled(memories, companion, "I like tea") == ["I like tea"]


async def test_memories_of_another_model_are_embedded_again_and_until_then_not_compared(
    node: Node, companion: str
) -> None:
    old, new = node(WordEmbedder("words 1")), node(WordEmbedder("words 2"))
    for number in range(40):
        await old.remember(companion, new_uuid(), f"My thing{number} has feature{number} today{number}")
    wanted = "My thing7 has feature7 today7"
    assert await recalled(new, companion, wanted) == []

    async def found() -> bool:
        return await recalled(new, companion, wanted, 1) == [wanted]

    await until(found)
    assert len(await listed(new, companion)) == 40


async def test_embedding_again_goes_on_after_it_broke_off(node: Node, companion: str) -> None:
    class Busy(WordEmbedder):
        refused = False

        async def embed(self, texts: Sequence[str]) -> Matrix:
            if len(texts) == REST and not self.refused:
                self.refused = True
                raise Overloaded
            return await super().embed(texts)

    old, new = node(WordEmbedder("words 1")), node(Busy("words 2"))
    said = [f"My thing{number} has feature{number} today{number}" for number in range(AT_A_TIME + REST)]
    for text in said:
        await old.remember(companion, new_uuid(), text)

    async def found() -> bool:
        return await recalled(new, companion, said[-1], 1) == said[-1:]

    await until(found)


async def test_a_database_put_back_to_an_older_state_is_read_anew(
    node: Node, pool: asyncpg.Pool, companion: str
) -> None:
    memories = node()
    await memories.remember(companion, new_uuid(), "I like tea")
    await memories.remember(companion, new_uuid(), "My cat has a bell")
    assert len(await recalled(memories, companion, "I like tea my cat has a bell")) == 2
    await pool.execute("DELETE FROM companion_memory WHERE version = 2")
    await pool.execute("UPDATE companion_mind SET version = 1")
    assert await recalled(memories, companion, "I like tea my cat has a bell") == ["I like tea"]


async def test_a_deleted_companion_remembers_nothing(node: Node, pool: asyncpg.Pool, companion: str) -> None:
    memories = node()
    await memories.remember(companion, new_uuid(), "I like tea")
    await memories.recall(companion, "I like tea", 1)
    await pool.execute("DELETE FROM companion WHERE id = $1", companion)
    await memories.remember(companion, new_uuid(), "I like tea")
    assert await recalled(memories, companion, "I like tea") == []


async def test_a_recall_that_is_cut_short_leaves_no_half_filled_index(node: Node, companion: str) -> None:
    memories = node()
    await memories.remember(companion, new_uuid(), "I like tea")
    other = node()
    for _ in range(20):
        task = asyncio.gather(other.recall(companion, "I like tea", 1))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await recalled(other, companion, "I like tea") == ["I like tea"]

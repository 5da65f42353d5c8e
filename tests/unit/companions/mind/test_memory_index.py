"""The matrix of one companion's memories: changes to it, and the order of what it finds."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_api.companions.embeddings import Matrix
from core_api.companions.memory_index import MemoryIndex
from core_api.companions.memory_store import Trace

NOW = datetime(2027, 1, 1, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
EAST = np.array([[1.0, 0.0]], np.float32)


def trace(number: int, cosine: float = 1.0, *, hours: float = 0.0, importance: float = 0.5) -> Trace:
    """A memory with this cosine to EAST."""
    vector = np.array([cosine, np.sqrt(1 - cosine * cosine)], "<f4")
    return Trace(number, number, vector.tobytes(), importance, NOW - timedelta(hours=hours))


def index(*traces: Trace) -> MemoryIndex:
    made = MemoryIndex(2)
    made.put(traces)
    return made


def found(index: MemoryIndex, limit: int = 10, query: Matrix = EAST) -> list[int]:
    return [ranked.number for ranked in index.best(query, NOW_MS, limit)]


def test_an_empty_index_finds_nothing() -> None:
    assert found(index()) == []
    assert index().nearest(EAST) == [None]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (trace(1, 0.9), trace(2, 0.8)),
        (trace(1, hours=1), trace(2, hours=50)),
        (trace(1, importance=0.6), trace(2, importance=0.5)),
        (trace(1, 0.6, importance=0.9), trace(2, 0.7, importance=0.3)),
        (trace(2), trace(1)),
    ],
    ids=["relevance", "recency", "importance", "importance over a little relevance", "of equals the newest"],
)
def test_the_better_memory_comes_first(better: Trace, worse: Trace) -> None:
    assert found(index(better, worse)) == [better.number, worse.number]
    assert found(index(worse, better), limit=1) == [better.number]


def test_what_is_not_relevant_is_not_found_however_new_and_important() -> None:
    assert found(index(trace(1, 0.2, importance=1.0), trace(2, -0.9))) == []


def test_a_memory_put_again_replaces_itself() -> None:
    made = index(trace(1, 0.9), trace(2, 0.8))
    made.put([trace(1, 0.5)])
    assert len(made) == 2
    assert found(made) == [2, 1]


def test_only_what_is_to_be_kept_stays_and_more_can_be_added() -> None:
    made = index(*(trace(number, 0.9 - number / 100) for number in range(1, 31)))
    made.keep([2, 5, 99])
    assert found(made) == [2, 5]
    made.put([trace(40, 0.95), trace(5, 0.99)])
    assert found(made) == [5, 40, 2]


def test_a_memory_of_another_model_is_not_compared_also_if_it_was() -> None:
    made = index(trace(1), trace(2))
    assert not made.foreign
    made.put([Trace(1, 9, None, 0.5, NOW)])
    assert made.foreign
    assert found(made) == [2]


def test_the_nearest_of_each_vector_and_of_equally_near_ones_the_newest() -> None:
    made = index(trace(1, 1.0), trace(2, 1.0), trace(3, 0.0))
    north = np.array([[0.0, 1.0]], np.float32)
    assert made.nearest(np.concatenate((EAST, north))) == [(2, 1.0), (3, 1.0)]


MEMORIES = st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 5_000), st.floats(0, 1)), min_size=1, max_size=30).map(
    lambda rows: [trace(n, c, hours=h, importance=i) for n, (c, h, i) in enumerate(rows, start=1)]
)


@given(MEMORIES, st.randoms(use_true_random=False), st.integers(1, 10))
def test_the_answer_does_not_depend_on_the_order_in_which_memories_came(
    traces: list[Trace], random: object, limit: int
) -> None:
    mixed = list(traces)
    random.shuffle(mixed)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    one_by_one = MemoryIndex(2)
    for single in mixed:
        one_by_one.put([single])
    assert one_by_one.best(EAST, NOW_MS, limit) == index(*traces).best(EAST, NOW_MS, limit)


@given(MEMORIES, st.integers(1, 10))
def test_a_shorter_answer_is_the_beginning_of_a_longer_one_and_scores_fall(traces: list[Trace], limit: int) -> None:
    everything = index(*traces).best(EAST, NOW_MS, len(traces))
    assert index(*traces).best(EAST, NOW_MS, limit) == everything[:limit]
    scores = [ranked.score for ranked in everything]
    assert scores == sorted(scores, reverse=True)


@given(MEMORIES, st.integers(0, 29), st.sampled_from(["relevance", "recency", "importance"]))
def test_a_memory_that_gets_better_does_not_fall(traces: list[Trace], which: int, part: str) -> None:
    old = traces[which % len(traces)]
    before = found(index(*traces), limit=len(traces))
    better = {
        "relevance": Trace(old.number, 99, EAST.astype("<f4").tobytes(), old.importance, old.said_at),
        "recency": Trace(old.number, 99, old.embedding, old.importance, NOW),
        "importance": Trace(old.number, 99, old.embedding, 1.0, old.said_at),
    }[part]
    changed = index(*traces)
    changed.put([better])
    after = found(changed, limit=len(traces))
    if old.number in before:
        assert after.index(old.number) <= before.index(old.number)

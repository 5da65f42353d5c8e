"""hub.storage.answers on a real PostgreSQL."""

import asyncio

import asyncpg
import pytest

from hub.kernel.errors import Conflict, InvalidPayload
from hub.kernel.ids import new_uuid
from hub.kernel.ports import StoredAnswer
from hub.storage.answers import PostgresAnswers
from tests.support.clock import FrozenClock

ADA, BOB = new_uuid(), new_uuid()
ANSWER = StoredAnswer(201, {"Content-Type": "application/json", "ETag": '"1"'}, b'{"id":"1"}')
DAY_S = 24 * 3600


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def answers(pool: asyncpg.Pool, clock: FrozenClock) -> PostgresAnswers:
    return PostgresAnswers(pool, clock)


async def test_a_repeat_gets_the_first_answer_whole(answers: PostgresAnswers) -> None:
    assert await answers.begin(ADA, "k", b"f") is None
    await answers.finish(ADA, "k", ANSWER)
    assert await answers.begin(ADA, "k", b"f") == ANSWER


async def test_a_key_is_one_persons(answers: PostgresAnswers) -> None:
    assert await answers.begin(ADA, "k", b"f") is None
    assert await answers.begin(BOB, "k", b"g") is None


async def test_of_many_at_once_one_goes_ahead_and_the_others_are_told_to_wait(answers: PostgresAnswers) -> None:
    results = await asyncio.gather(*(answers.begin(ADA, "k", b"f") for _ in range(8)), return_exceptions=True)
    assert results.count(None) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 7


async def test_another_request_under_the_key_is_refused_in_flight_and_afterwards(answers: PostgresAnswers) -> None:
    await answers.begin(ADA, "k", b"f")
    with pytest.raises(InvalidPayload):
        await answers.begin(ADA, "k", b"other")
    await answers.finish(ADA, "k", ANSWER)
    with pytest.raises(InvalidPayload):
        await answers.begin(ADA, "k", b"other")


async def test_a_failed_request_gives_the_key_back(answers: PostgresAnswers) -> None:
    await answers.begin(ADA, "k", b"f")
    await answers.finish(ADA, "k", None)
    assert await answers.begin(ADA, "k", b"other") is None


async def test_the_first_answer_stays(answers: PostgresAnswers) -> None:
    await answers.begin(ADA, "k", b"f")
    await answers.finish(ADA, "k", ANSWER)
    await answers.finish(ADA, "k", StoredAnswer(500, {}, b""))
    await answers.finish(ADA, "k", None)
    assert await answers.begin(ADA, "k", b"f") == ANSWER


async def test_a_request_whose_node_died_can_be_repeated_after_a_minute(
    answers: PostgresAnswers, clock: FrozenClock
) -> None:
    await answers.begin(ADA, "k", b"f")
    clock.advance(59)
    with pytest.raises(Conflict):
        await answers.begin(ADA, "k", b"f")
    clock.advance(1)
    with pytest.raises(InvalidPayload):
        await answers.begin(ADA, "k", b"other")
    assert await answers.begin(ADA, "k", b"f") is None
    with pytest.raises(Conflict):  # claimed anew, from now
        await answers.begin(ADA, "k", b"f")


async def test_after_a_day_an_answer_no_longer_counts_even_before_it_is_purged(
    answers: PostgresAnswers, clock: FrozenClock
) -> None:
    await answers.begin(ADA, "k", b"f")
    await answers.finish(ADA, "k", ANSWER)
    clock.advance(DAY_S - 1)
    assert await answers.begin(ADA, "k", b"f") == ANSWER
    clock.advance(1)
    assert await answers.begin(ADA, "k", b"another request") is None


async def test_purging_removes_what_is_older_than_a_day_and_nothing_else(
    answers: PostgresAnswers, clock: FrozenClock, pool: asyncpg.Pool
) -> None:
    await answers.begin(ADA, "old", b"f")
    clock.advance(DAY_S)
    await answers.begin(ADA, "new", b"f")
    assert await answers.purge() == 1
    assert await pool.fetchval("SELECT array_agg(key) FROM idempotent_answer") == ["new"]


@pytest.mark.parametrize("key", ["caf\udce9", "café", "a\x7fb"])
async def test_a_key_that_is_no_printable_ascii_is_refused(answers: PostgresAnswers, key: str) -> None:
    with pytest.raises(InvalidPayload):
        await answers.begin(ADA, key, b"f")

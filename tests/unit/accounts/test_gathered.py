"""core_api.accounts.gathered: one question for many, never an answer from before somebody asked."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from core_api.accounts import gathered
from core_api.accounts.gathered import GatheredStandings
from core_api.accounts.privacy import Privacy, Relation
from core_api.accounts.sight import Pair
from hub.kernel.ids import UserId
from tests.support.wait import until

TURNS = 5
"""Of the loop, in which whatever can go on does."""


def pair(number: int) -> Pair:
    return UserId("eve"), UserId(f"u{number}")


class Database:
    """Implements core_api.accounts.sight.Standings: each question is answered when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[Pair], asyncio.Future[bool]]] = []
        """With what the answer says of everybody's being blocked."""

    async def relations(self, pairs: Sequence[Pair]) -> Mapping[Pair, tuple[Privacy, Relation]]:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.asked.append((list(pairs), answer))
        blocked = await answer
        return {pair: (Privacy(), Relation(blocked=blocked)) for pair in pairs if pair[1] != "u0"}

    @property
    def pairs(self) -> list[list[Pair]]:
        return [pairs for pairs, _ in self.asked]


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def standings(database: Database) -> GatheredStandings:
    return GatheredStandings(database)


async def turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def test_all_who_come_while_a_question_is_under_way_are_asked_for_together(
    database: Database, standings: GatheredStandings
) -> None:
    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(standings.relations([pair(number)])) for number in (1, 2, 3, 2)]
        await turns()
        assert database.pairs == [[pair(1)]]
        database.asked[0][1].set_result(False)
        await turns()
        assert database.pairs[1:] == [[pair(2), pair(3)]]
        database.asked[1][1].set_result(False)
    assert [list(task.result()) for task in asking] == [[pair(1)], [pair(2)], [pair(3)], [pair(2)]]


async def test_nobody_gets_an_answer_to_what_was_asked_before_they_came(
    database: Database, standings: GatheredStandings
) -> None:
    async with asyncio.TaskGroup() as group:
        first = group.create_task(standings.relations([pair(1)]))
        await turns()
        second = group.create_task(standings.relations([pair(1)]))  # blocked meanwhile
        database.asked[0][1].set_result(False)
        await turns()
        database.asked[1][1].set_result(True)
    assert [task.result()[pair(1)][1].blocked for task in (first, second)] == [False, True]


async def test_who_is_not_known_is_missing(database: Database, standings: GatheredStandings) -> None:
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(standings.relations([pair(0), pair(1)]))
        await turns()
        database.asked[0][1].set_result(False)
    assert list(asking.result()) == [pair(1)]


async def test_an_error_is_for_those_who_were_asked_for_and_the_next_are_asked_for_again(
    database: Database, standings: GatheredStandings
) -> None:
    first, second = (asyncio.ensure_future(standings.relations([pair(one)])) for one in (1, 2))  # noqa: TID251 awaited below
    await turns()
    database.asked[0][1].set_exception(ConnectionError("away"))
    with pytest.raises(ConnectionError):
        await first
    await turns()
    database.asked[1][1].set_result(False)
    assert list(await second) == [pair(2)]


async def test_whoever_is_cancelled_holds_up_nobody(database: Database, standings: GatheredStandings) -> None:
    first, second = (asyncio.ensure_future(standings.relations([pair(one)])) for one in (1, 2))  # noqa: TID251 awaited below
    await turns()
    first.cancel()
    database.asked[0][1].set_result(False)
    await turns()
    database.asked[1][1].set_result(False)
    assert list(await second) == [pair(2)]


async def test_a_question_that_hangs_holds_up_the_next_for_a_moment_only(
    database: Database, standings: GatheredStandings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered, "PATIENCE_S", 0.001)
    async with asyncio.TaskGroup() as group:
        hanging = group.create_task(standings.relations([pair(1)]))
        await turns()
        asking = group.create_task(standings.relations([pair(2)]))
        await until(lambda: len(database.asked) == 2)
        database.asked[1][1].set_result(False)
        assert list(await asking) == [pair(2)]
        database.asked[0][1].set_result(False)
        await hanging


async def test_a_question_is_bounded(
    database: Database, standings: GatheredStandings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered, "MOST_PAIRS", 3)
    async with asyncio.TaskGroup() as group:
        for number in range(1, 9):
            group.create_task(standings.relations([pair(number)]))
        await turns()
        database.asked[0][1].set_result(False)
        await turns()
        assert list(map(len, database.pairs)) == [1, 3, 3, 1]
        for _, answer in database.asked[1:]:
            answer.set_result(False)

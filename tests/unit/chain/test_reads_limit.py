"""Answers that many share."""

import asyncio

from core_api.chain.errors import ChainUnavailable
from core_api.chain.reads_limit import Shared
from tests.support.wait import until


class Contract:
    """Something to read, as often as it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.open = asyncio.Event()
        self.fault: Exception | None = None

    async def read(self) -> int:
        self.asked += 1
        await self.open.wait()
        if self.fault is not None:
            raise self.fault
        return self.asked


async def test_many_who_ask_at_once_and_shortly_after_are_one_question() -> None:
    contract = Contract()
    shared = Shared(contract.read, life_s=60.0)
    asking = asyncio.gather(*(shared.get() for _ in range(50)))
    contract.open.set()
    assert await asking == [1] * 50
    assert await shared.get() == 1


async def test_an_answer_that_is_too_old_is_asked_for_anew() -> None:
    contract = Contract()
    contract.open.set()
    shared = Shared(contract.read, life_s=0.0)
    assert [await shared.get(), await shared.get()] == [1, 2]


async def test_those_who_wait_for_a_node_that_does_not_answer_fail_with_the_first_and_not_one_after_another() -> None:
    contract = Contract()
    contract.fault = ChainUnavailable()
    shared = Shared(contract.read, life_s=60.0)
    asking = asyncio.gather(*(shared.get() for _ in range(50)), return_exceptions=True)
    contract.open.set()
    assert [type(outcome) for outcome in await asking] == [ChainUnavailable] * 50
    assert contract.asked == 1


async def test_one_who_leaves_does_not_take_the_answer_from_the_others() -> None:
    contract = Contract()
    shared = Shared(contract.read, life_s=60.0)
    async with asyncio.TaskGroup() as group:
        leaving, staying = group.create_task(shared.get()), group.create_task(shared.get())
        await until(lambda: contract.asked == 1)
        leaving.cancel()
        contract.open.set()
    assert leaving.cancelled()
    assert staying.result() == 2

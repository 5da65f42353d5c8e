"""How much GraphQL a node does at once."""

import asyncio

import pytest

from core_api.graphql.slots import Slots
from hub.kernel.errors import Overloaded


async def test_work_waits_for_a_slot_and_too_much_is_refused() -> None:
    slots, may_end, running = Slots(2, 3), asyncio.Event(), 0

    async def work() -> None:
        nonlocal running
        async with slots.taken():
            running += 1
            await may_end.wait()
            running -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(work())
        await asyncio.sleep(0)
        assert running == 2
        with pytest.raises(Overloaded) as refused:
            await work()
        assert refused.value.retry_after == 1
        may_end.set()
    await work()


async def test_a_lent_slot_lets_others_work() -> None:
    slots = Slots(1, 2)
    async with slots.taken() as slot:
        async with slot.lent(), slots.taken():
            pass
        assert slots._free.locked()
    assert not slots._free.locked()


async def test_a_slot_that_two_fields_lend_at_once_is_taken_again_once() -> None:
    slots, first_may_end = Slots(1, 2), asyncio.Event()
    async with slots.taken() as slot:

        async def field() -> None:
            async with slot.lent():
                await first_may_end.wait()

        async with asyncio.TaskGroup() as group:
            group.create_task(field())
            await asyncio.sleep(0)
            async with slot.lent():
                pass
            assert not slots._free.locked()
            first_may_end.set()
        assert slots._free.locked()
    assert slots._free._value == 1


async def test_a_slot_that_is_lost_while_lent_is_not_given_back_twice() -> None:
    slots = Slots(1, 2)
    with pytest.raises(ValueError, match="slow"):
        async with slots.taken() as slot, slot.lent():
            raise ValueError("slow")
    async with slots.turn():
        assert slots._free.locked()


async def test_waiting_that_is_cancelled_gives_back_its_place() -> None:
    slots = Slots(1, 2)
    async with slots.taken():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0), slots.taken():
                pass
        assert slots._left == 1
    assert (slots._left, slots._free.locked()) == (2, False)


async def test_events_of_subscriptions_wait_instead_of_being_refused() -> None:
    slots = Slots(1, 1)
    ran = asyncio.Event()

    async def event() -> None:
        async with slots.turn():
            ran.set()

    async with asyncio.TaskGroup() as group, slots.taken():
        group.create_task(event())
        await asyncio.sleep(0)
        assert not ran.is_set()
    assert ran.is_set()

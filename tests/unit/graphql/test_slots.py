"""How much GraphQL a node does at once."""

import asyncio

import pytest

from core_api.graphql.slots import Seats, Slots
from hub.kernel.errors import Overloaded
from hub.kernel.ids import UserId


async def test_work_waits_for_a_slot_and_too_much_is_refused() -> None:
    slots, may_end, running = Slots(2, 3, 1), asyncio.Event(), 0

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
    slots = Slots(1, 2, 1)
    async with slots.taken() as slot:
        async with slot.lent(), slots.taken():
            pass
        assert slots._free.locked()
    assert not slots._free.locked()


async def test_a_slot_that_two_fields_lend_at_once_is_taken_again_once() -> None:
    slots, first_may_end = Slots(1, 2, 1), asyncio.Event()
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
    slots = Slots(1, 2, 1)
    with pytest.raises(ValueError, match="slow"):
        async with slots.taken() as slot, slot.lent():
            raise ValueError("slow")
    async with slots.taken():
        assert slots._free.locked()


async def test_waiting_that_is_cancelled_gives_back_its_place() -> None:
    slots = Slots(1, 2, 1)
    async with slots.taken():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0), slots.taken():
                pass
        assert slots._left == 1
    assert (slots._left, slots._free.locked()) == (2, False)


async def test_events_of_subscriptions_wait_for_each_other_and_nobody_waits_for_them() -> None:
    slots, may_end, running, told = Slots(1, 1, 2), asyncio.Event(), 0, 0

    async def event() -> None:
        nonlocal running, told
        async with slots.turn():
            running += 1
            await may_end.wait()
            running -= 1
        told += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(100):
            group.create_task(event())
        await asyncio.sleep(0)
        assert running == 2
        async with asyncio.timeout(1), slots.taken():
            may_end.set()
    assert told == 100


async def test_a_field_that_begins_while_another_waits_to_come_back_takes_no_second_slot() -> None:
    slots = Slots(1, 2, 1)
    async with slots.taken() as slot, asyncio.TaskGroup() as group:

        async def field() -> None:
            async with slot.lent():
                pass

        slot.give_back()
        async with slots.taken():
            group.create_task(field())
            await asyncio.sleep(0)  # it waits for the slot
            group.create_task(field())
            await asyncio.sleep(0)
    assert slots._free._value == 1


def test_one_person_and_all_strangers_have_so_many_seats_and_give_them_back() -> None:
    seats, ada, bob = Seats(each=1, strangers=2), UserId("ada"), UserId("bob")
    with seats.taken(ada), seats.taken(bob), seats.taken(None), seats.taken(None):
        for somebody in (ada, None):
            with pytest.raises(Overloaded), seats.taken(somebody):
                pass
    assert not seats._taken
    with seats.taken(ada), seats.taken(None):
        pass

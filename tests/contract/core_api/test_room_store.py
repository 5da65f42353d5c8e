"""core_api.rooms.store_postgres on a real PostgreSQL."""

import asyncio

import asyncpg
import pytest

from core_api.rooms.store import NewMessage, Posted
from core_api.rooms.store_postgres import PostgresRooms
from hub.kernel.ids import UserId, new_uuid
from tests.support.clock import FrozenClock

ADA, BOB, EVE = (UserId(new_uuid()) for _ in range(3))
NOW = FrozenClock().now()


@pytest.fixture
def store(pool: asyncpg.Pool) -> PostgresRooms:
    return PostgresRooms(pool)


async def new_room(store: PostgresRooms, owner: UserId = ADA, *, public: bool = True) -> str:
    return (await store.create(new_uuid(), "Room", "public" if public else "private", owner, NOW)).id


async def post(
    store: PostgresRooms, room_id: str, client_id: str, sender: UserId = ADA, body: str = "1"
) -> Posted | None:
    return await store.post(NewMessage(new_uuid(), room_id, sender, client_id, body, NOW))


async def test_numbers_of_messages_have_no_holes_whoever_sends_at_once_and_repeats(store: PostgresRooms) -> None:
    room_id = await new_room(store)
    names = [f"m{number}" for number in range(10)] * 3
    posted = [answer for answer in await asyncio.gather(*(post(store, room_id, name) for name in names)) if answer]
    assert len(posted) == 30
    assert sorted(answer.seq for answer in posted if not answer.repeated) == list(range(1, 11))
    assert len({(answer.id, answer.seq) for answer in posted}) == 10
    assert [message.seq for message in await store.messages(room_id, None, 100)] == list(range(10, 0, -1))
    room = await store.room(room_id, ADA)
    assert room is not None
    assert room.last_seq == 10


async def test_a_client_id_is_its_senders_own_and_its_rooms(store: PostgresRooms) -> None:
    one, other = await new_room(store), await new_room(store)
    answers = [await post(store, one, "m"), await post(store, one, "m", BOB), await post(store, other, "m")]
    assert [(answer.seq, answer.repeated) for answer in answers if answer] == [(1, False), (2, False), (1, False)]


async def test_nothing_is_posted_to_a_room_that_is_not_there(store: PostgresRooms) -> None:
    assert await post(store, new_uuid(), "m") is None


@pytest.mark.parametrize("body", ["null", '"\\u0000"', '{"b":1,"a":[true]}'])
async def test_a_body_comes_back_as_it_was(store: PostgresRooms, body: str) -> None:
    room_id = await new_room(store)
    await post(store, room_id, "m", body=body)
    (message,) = await store.messages(room_id, None, 1)
    assert bytes(message.body).decode() == body
    assert (message.room_id, message.sender_id, message.sent_at) == (room_id, ADA, NOW)


async def test_the_list_has_public_rooms_and_ones_own_once_and_page_by_page(store: PostgresRooms) -> None:
    public, own = await new_room(store, BOB), await new_room(store, ADA)
    await new_room(store, BOB, public=False)
    private = await new_room(store, BOB, public=False)
    await store.add_member(private, ADA, NOW)
    everything = await store.rooms(ADA, None, 10)
    assert [(room.id, room.role) for room in everything] == [(private, "member"), (own, "owner"), (public, None)]
    pages, before = [], None
    while found := await store.rooms(ADA, before, 1):
        pages += found
        before = found[-1].number
    assert pages == everything
    assert [room.id for room in await store.rooms(EVE, None, 10)] == [own, public]


async def test_adding_a_member_again_changes_nothing_and_an_owner_stays_one(store: PostgresRooms) -> None:
    room_id = await new_room(store)
    first = await store.add_member(room_id, BOB, NOW)
    assert await store.add_member(room_id, BOB, NOW) == first
    assert (await store.add_member(room_id, ADA, NOW)).role == "owner"
    assert [(member.user_id, member.role) for member in await store.members(room_id, None, 10)] == [
        (ADA, "owner"),
        (BOB, "member"),
    ]


async def test_removing_a_member_leaves_one_event_and_the_owner_cannot_be_removed(
    store: PostgresRooms, pool: asyncpg.Pool
) -> None:
    room_id = await new_room(store)
    await store.add_member(room_id, BOB, NOW)
    removed = await asyncio.gather(*(store.remove_member(room_id, BOB) for _ in range(4)))
    assert sorted(removed) == [False, False, False, True]
    assert await store.remove_member(room_id, ADA) is False
    assert await pool.fetchval("SELECT array_agg(topic) FROM outbox") == ["room.member_removed"]

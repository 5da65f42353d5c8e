"""Leases of media servers and the places of rooms, over a real Valkey."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from hub.kernel.errors import Unavailable
from hub.kernel.ids import new_ulid
from signaling.media.embedded import lease_redis
from signaling.media.embedded.lease_redis import DEAD, SERVERS, Lease, MediaServers
from tests.support.wait import until

SHORT_MS = 500


@pytest.fixture(autouse=True)
def long_lived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases outlast a test on a busy machine: only few tests are of their end."""
    monkeypatch.setattr(lease_redis, "LEASE_MS", 60_000)


@pytest.fixture
async def servers(redis: Redis) -> AsyncIterator[MediaServers]:
    """None but those of this test."""
    await redis.delete(SERVERS, lease_redis.ABOUT, DEAD)
    yield MediaServers(redis)
    await redis.delete(SERVERS, lease_redis.ABOUT, DEAD)


@pytest.fixture
def soon_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases are short."""
    monkeypatch.setattr(lease_redis, "LEASE_MS", SHORT_MS)


async def server(redis: Redis, load: int = 0, *, beats: bool = True) -> Lease:
    made = Lease(redis, f"http://{load}")
    if beats:
        await made.beat(load)
    return made


@pytest.mark.usefixtures("soon_dead")
async def test_a_server_is_found_while_it_beats(servers: MediaServers, redis: Redis) -> None:
    made = await server(redis, 7)
    (name, address), *others = (await servers.live()).items()
    assert (name, address.key, address.load, others) == (made.name, made.key, 7, [])
    await until(lambda: is_empty(servers))


async def is_empty(servers: MediaServers) -> bool:
    return not await servers.live()


async def test_a_room_goes_to_the_server_with_the_least_to_do_and_stays_there(
    servers: MediaServers, redis: Redis
) -> None:
    busy, idle = await server(redis, 10), await server(redis, 3)
    room = new_ulid()
    assert (await servers.place(room)).key == idle.key
    await busy.beat(0)
    assert (await servers.place(room)).key == idle.key
    where = await servers.where(room)
    assert where is not None
    assert where.key == idle.key


async def test_of_many_that_place_a_room_at_once_all_get_one_server(servers: MediaServers, redis: Redis) -> None:
    for load in range(4):
        await server(redis, load % 2)
    for _ in range(10):
        room = new_ulid()
        placed = await asyncio.gather(*(servers.place(room) for _ in range(20)))
        assert len({one.key for one in placed}) == 1


async def test_without_a_server_nothing_can_be_placed(servers: MediaServers) -> None:
    with pytest.raises(Unavailable):
        await servers.place(new_ulid())
    assert await servers.where(new_ulid()) is None


@pytest.mark.usefixtures("soon_dead")
async def test_the_rooms_of_a_dead_server_are_offered_to_one_node_and_go_elsewhere(
    servers: MediaServers, redis: Redis
) -> None:
    dead, room = await server(redis), new_ulid()
    await servers.place(room)
    await until(lambda: is_empty(servers))
    other = await server(redis)
    taken = await asyncio.gather(*(MediaServers(redis).take_dead() for _ in range(5)))
    assert [one for one in taken if one] == [[(dead.name, [room])]]
    assert (await servers.place(room)).key == other.key
    await servers.buried(dead.name)
    assert await redis.zcard(DEAD) == 0


async def test_what_a_node_has_taken_and_not_finished_is_taken_again(
    servers: MediaServers, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_redis, "TAKEN_MS", 50)
    dead = await server(redis)
    await dead.release()
    assert await servers.take_dead() == [(dead.name, [])]
    again = await until(servers.take_dead)
    assert again == [(dead.name, [])]


async def test_a_server_that_gives_its_lease_back_is_dead_at_once(servers: MediaServers, redis: Redis) -> None:
    leaving = await server(redis)
    await leaving.release()
    assert await servers.live() == {}


@pytest.mark.usefixtures("soon_dead")
@pytest.mark.parametrize("buried", [False, True])
async def test_a_server_that_was_taken_for_dead_is_told_so_and_has_to_be_another(
    servers: MediaServers, redis: Redis, buried: bool
) -> None:
    paused = await server(redis)
    await until(lambda: is_empty(servers))
    await servers.take_dead()
    if buried:
        await servers.buried(paused.name)
    assert not await paused.beat(0)
    before = (paused.name, paused.key)
    paused.renew()
    assert await paused.beat(0)
    assert paused.name != before[0]
    assert paused.key != before[1]


async def test_a_room_that_is_over_is_forgotten(servers: MediaServers, redis: Redis) -> None:
    made, room = await server(redis), new_ulid()
    await servers.place(room)
    await servers.forget(room)
    await servers.forget(room)
    assert await servers.where(room) is None
    await made.release()
    assert await servers.take_dead() == [(made.name, [])]


@pytest.mark.usefixtures("soon_dead")
async def test_a_lease_that_ran_out_while_nobody_looked_is_renewed(servers: MediaServers, redis: Redis) -> None:
    made = await server(redis)
    await until(lambda: is_empty(servers))
    assert await made.beat(0)
    assert list(await servers.live()) == [made.name]


async def test_a_server_whose_redis_forgot_it_has_to_be_another(servers: MediaServers, redis: Redis) -> None:
    made = await server(redis)
    await redis.delete(SERVERS)
    assert not await made.beat(0)
    made.renew()
    assert await made.beat(0)

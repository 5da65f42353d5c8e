"""What hub.kernel.ports.Places promises, against a real Valkey."""

import asyncio
from collections.abc import Iterable

import pytest
from redis.asyncio import Redis

from hub.kernel.errors import TooManyConnections, Unavailable
from hub.kernel.ids import UserId
from presence.places_redis import KEPT_MS, RedisPlaces
from presence.store_redis import RedisPresenceStore
from tests.support.clock import FrozenClock
from tests.support.presence import caller, some_user
from tests.support.presence_store import N1, N2, connection, losses

MOST = 3


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def places(redis: Redis, clock: FrozenClock) -> RedisPlaces:
    return RedisPlaces(redis, clock)


async def take(places: RedisPlaces, user_id: UserId, names: Iterable[str]) -> None:
    for name in names:
        await places.take(caller(user_id, name), MOST)


async def is_full(places: RedisPlaces, user_id: UserId) -> bool:
    try:
        await places.take(caller(user_id, "one more"), MOST)
    except TooManyConnections:
        return True
    return False


async def test_connections_of_all_nodes_and_devices_count_and_those_about_to_begin_with_them(
    store: RedisPresenceStore, places: RedisPlaces, clock: FrozenClock
) -> None:
    ann = some_user()
    await store.connect(connection(ann, "c1", "web", N1), clock.now_ms())
    await store.connect(connection(ann, "c2", "phone", N2), clock.now_ms())
    await take(places, ann, ["c3"])
    with pytest.raises(TooManyConnections) as refusal:
        await places.take(caller(ann, "c4"), MOST)
    wire = refusal.value.to_wire()
    assert (wire["code"], wire["temporary"], wire["limit"]) == ("too_many_connections", True, MOST)
    assert not await is_full(places, some_user())  # nobody else is concerned


async def test_one_that_began_counts_once_and_one_that_never_did_no_longer_than_a_place_is_kept(
    store: RedisPresenceStore, places: RedisPlaces, clock: FrozenClock
) -> None:
    ann = some_user()
    await take(places, ann, ["c1", "c2"])
    await store.connect(connection(ann, "c1"), clock.now_ms())
    await take(places, ann, ["c2", "c3"])  # asked again: still its own place
    assert await is_full(places, ann)
    clock.advance(KEPT_MS / 1000)
    await take(places, ann, ["c4", "c5"])
    assert await is_full(places, ann)


async def test_one_that_is_held_or_has_ended_does_not_count(
    store: RedisPresenceStore, places: RedisPlaces, clock: FrozenClock
) -> None:
    ann = some_user()
    here = [connection(ann, name) for name in ("c1", "c2", "c3")]
    for one in here:
        await store.connect(one, clock.now_ms())
    assert await is_full(places, ann)
    await store.hold(losses(here[:1], clock.now_ms()))
    assert not await is_full(places, ann)


async def test_of_many_at_once_on_two_nodes_exactly_as_many_get_in_as_there_is_room_for(
    places: RedisPlaces, redis_url: str, clock: FrozenClock
) -> None:
    ann = some_user()
    async with Redis.from_url(redis_url) as client:
        rival = RedisPlaces(client, clock)
        asked = [(places, rival)[number % 2].take(caller(ann, f"c{number}"), MOST) for number in range(20)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert outcomes.count(None) == MOST
    assert sum(isinstance(one, TooManyConnections) for one in outcomes) == 20 - MOST


async def test_nothing_of_a_place_stays_in_redis(places: RedisPlaces, redis: Redis) -> None:
    ann = some_user()
    await take(places, ann, ["c1"])
    [key] = await redis.keys(f"*:places:{ann}")
    assert 0 < await redis.pttl(key) <= KEPT_MS


async def test_without_redis_nobody_is_told_that_there_is_no_room(clock: FrozenClock) -> None:
    async with Redis.from_url("redis://127.0.0.1:1") as nowhere:
        with pytest.raises(Unavailable):
            await RedisPlaces(nowhere, clock).take(caller(some_user(), "c1"), MOST)

"""core_api.rooms.people_there_redis on a real Valkey."""

import asyncio

import pytest
from redis.asyncio import Redis

from core_api.rooms.people_there_redis import KEPT_S, RedisPeopleThere
from hub.kernel.errors import Unavailable
from hub.kernel.ids import ConnectionId, NodeId, UserId, new_uuid
from hub.storage.redis import connect

ROOM = new_uuid()
ADA, BOB = UserId("ada"), UserId("bob")
PHONE, LAPTOP = ConnectionId("phone"), ConnectionId("laptop")


class Cluster:
    """The nodes that are alive; a member of it is hub.kernel.ports.Nodes of one of them."""

    def __init__(self) -> None:
        self.alive: set[str] = {"one", "two"}


class NodeOf:
    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self.node_id = NodeId(name)

    async def live(self) -> frozenset[NodeId]:
        return frozenset(NodeId(name) for name in self._cluster.alive)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def one(redis: Redis, cluster: Cluster) -> RedisPeopleThere:
    return RedisPeopleThere(redis, NodeOf(cluster, "one"))


@pytest.fixture
def two(redis: Redis, cluster: Cluster) -> RedisPeopleThere:
    return RedisPeopleThere(redis, NodeOf(cluster, "two"))


async def test_only_the_first_and_the_last_device_count(one: RedisPeopleThere, two: RedisPeopleThere) -> None:
    assert await one.arrive(ROOM, ADA, PHONE) is True
    assert await two.arrive(ROOM, ADA, LAPTOP) is False
    assert await one.arrive(ROOM, BOB, ConnectionId("bob")) is True
    assert await one.depart(ROOM, ADA, PHONE) is False
    assert await two.depart(ROOM, ADA, LAPTOP) is True


async def test_repeats_say_nothing(one: RedisPeopleThere) -> None:
    await one.arrive(ROOM, ADA, PHONE)
    assert await one.arrive(ROOM, ADA, PHONE) is False
    assert await one.depart(ROOM, ADA, PHONE) is True
    assert await one.depart(ROOM, ADA, PHONE) is False


async def test_of_devices_that_come_and_go_at_once_one_is_first_and_one_is_last(one: RedisPeopleThere) -> None:
    devices = [ConnectionId(str(number)) for number in range(8)]
    assert sum(await asyncio.gather(*(one.arrive(ROOM, ADA, device) for device in devices))) == 1
    assert sum(await asyncio.gather(*(one.depart(ROOM, ADA, device) for device in devices))) == 1


async def test_connections_of_a_dead_node_do_not_count(
    one: RedisPeopleThere, two: RedisPeopleThere, cluster: Cluster
) -> None:
    await two.arrive(ROOM, ADA, LAPTOP)
    cluster.alive = {"one"}
    assert await one.arrive(ROOM, ADA, PHONE) is True
    assert await one.depart(ROOM, ADA, PHONE) is True


async def test_an_expelled_person_has_left_already(one: RedisPeopleThere, two: RedisPeopleThere) -> None:
    await one.arrive(ROOM, ADA, PHONE)
    assert await two.expel(ROOM, ADA) is True
    assert await two.expel(ROOM, ADA) is False
    assert await one.depart(ROOM, ADA, PHONE) is False


async def test_what_is_left_behind_expires(one: RedisPeopleThere, redis: Redis) -> None:
    await one.arrive(ROOM, ADA, PHONE)
    (key,) = await redis.keys()
    assert KEPT_S - 60 < await redis.ttl(key) <= KEPT_S


async def test_without_redis_it_is_unavailable(cluster: Cluster) -> None:
    people = RedisPeopleThere(connect("unix:///nowhere/v.sock", size=1), NodeOf(cluster, "one"))
    with pytest.raises(Unavailable):
        await people.arrive(ROOM, ADA, PHONE)

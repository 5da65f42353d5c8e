"""hub.cluster.bus with several shards on one real Valkey."""

import zlib
from functools import partial

import pytest
from redis.asyncio import Redis

from hub.cluster.bus import Bus, OtherShards
from hub.cluster.records import Records
from hub.cluster.rooms import ClusterRooms
from hub.cluster.servers import servers_of
from hub.kernel.ids import ConnectionId, NodeId, RoomName
from hub.kernel.tasks import Tasks
from tests.support.bus_nodes import Said, bus_nodes
from tests.support.local_rooms import MemoryLocalRooms
from tests.support.wait import until

SHARDS = 4
ROOMS = [f"room:{number}" for number in range(12)]


def test_the_rooms_of_these_tests_are_on_every_shard() -> None:
    assert {zlib.crc32(room.encode()) % SHARDS for room in ROOMS} == set(range(SHARDS))


async def test_rooms_on_several_shards_have_each_their_events_once_and_in_order(redis_url: str, redis: Redis) -> None:
    async with bus_nodes(redis_url, "one", "two", shards=SHARDS) as [one, two]:
        for node in (one, two):
            await node.follow(ROOMS)
        for number in range(1200):
            one.publish(ROOMS[number % len(ROOMS)], number)
            if number % 200 == 0:
                await one.bus.flushed()
                await redis.client_kill_filter(_type="pubsub")
        for node in (one, two):
            await until(partial(node.has_heard, dict.fromkeys(ROOMS, 100)))
            assert node.heard == {room: list(range(place, 1200, len(ROOMS))) for place, room in enumerate(ROOMS)}
            assert node.lost == []
    assert set(await redis.keys("*:head")) == {f"{{s{index}}}:head".encode() for index in range(SHARDS)}


async def test_a_node_is_not_ready_while_one_of_its_shards_is_silent(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.shard.BEAT_S", 0.05)
    async with bus_nodes(redis_url, "one", shards=SHARDS) as [one]:
        assert await one.is_ready()
        monkeypatch.setattr("hub.cluster.bus.DEAF_S", 0.5)
        link = one.bus._shards[3]._link
        assert link is not None
        link.hold()

        async def is_deaf() -> bool:
            return not await one.is_ready()

        await until(is_deaf)
        with pytest.raises(ConnectionError, match="shard 3"):
            await one.bus.check()


async def test_who_is_put_out_of_a_room_has_got_what_was_sent_to_it_before(redis_url: str, redis: Redis) -> None:
    call, user, device = RoomName("room:0"), RoomName("user:0"), ConnectionId("device")
    tasks, local = Tasks(), MemoryLocalRooms()
    bus = Bus(servers_of(redis_url), NodeId("one"), tasks, shards=SHARDS)
    records = Records(bus, local.drop)
    rooms = ClusterRooms(local, bus, records, tasks)
    assert bus._place(call) != bus._place(user)
    await bus.start()
    await rooms.enter(device, [call, user])
    link = bus._shards[bus._place(call)]._link
    assert link is not None
    link.hold()
    await rooms.emit(call, Said(number=1))
    await rooms.evict(call, of=user)
    await rooms.emit(user, Said(number=2))
    await until(lambda: local.received("device") == [{"number": 2}])
    link.release()
    await until(lambda: not rooms.is_member(device, call))
    assert local.received("device") == [{"number": 2}, {"number": 1}]
    await tasks.close()
    bus.close()


async def test_every_shard_forgets_where_silent_rooms_stand(
    redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cluster.sweeper.KEPT_MS", 0)
    monkeypatch.setattr("hub.cluster.sweeper.PAUSE_S", 0.01)
    async with bus_nodes(redis_url, "one", shards=SHARDS) as [one]:
        for number, room in enumerate(ROOMS):
            one.publish(room, number)
        await one.bus.flushed()

        async def is_forgotten() -> bool:
            return not await redis.keys("*:last")

        await until(is_forgotten)


@pytest.mark.parametrize("other", [1, 3, 8])
async def test_a_node_with_another_number_of_shards_is_refused_and_told_the_right_one(
    redis_url: str, other: int
) -> None:
    tasks = Tasks()
    async with bus_nodes(redis_url, "one", shards=SHARDS) as [one]:
        wrong = Bus(servers_of(redis_url), NodeId("two"), tasks, shards=other)
        with pytest.raises(OtherShards, match=r"on 4 shards .* SPARKLE_CLUSTER_SHARDS"):
            await wrong.start()
        wrong.close()
        await one.follow(["lobby"])
        one.publish("lobby", 1)
        await until(lambda: one.heard == {"lobby": [1]})
    await tasks.close()

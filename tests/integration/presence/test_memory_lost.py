"""Nodes and Redis part ways: Redis forgets, a node stands still, one message overtakes another."""

import asyncio

import pytest
from msgspec import UNSET
from redis.asyncio import Redis

from hub.kernel.errors import Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import RoomName, UserId
from presence.model import PARTS, Change, Connection
from presence.rounds import STOPPED_S
from presence.schema import Users
from presence.settings import PresenceSettings
from tests.support.clock import FrozenClock
from tests.support.presence import caller, some_user
from tests.support.presence_node import N1, N2, PresenceNode, make_whole, status, sweep_all_parts, watchers


async def test_a_text_that_ended_does_not_come_back_when_redis_lost_its_memory(
    node: PresenceNode, redis: Redis, clock: FrozenClock
) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    lunch = {"status": "busy", "text": "lunch", "textExpiresAt": "2027-01-15T08:00:30Z"}
    await node.ask("presence:update", ann, lunch)
    await redis.flushall()
    await node.reconcile()
    await make_whole(redis)
    [again] = (await node.watching.get(ann, Users(user_ids=[ann.user_id]))).users
    assert (again.text, again.status) == ("lunch", "busy")
    await redis.flushall()
    clock.advance(30)
    await node.reconcile()
    await make_whole(redis)
    [again] = (await node.watching.get(ann, Users(user_ids=[ann.user_id]))).users
    assert (again.text, again.status) == (UNSET, "busy")


async def test_a_connection_that_went_while_its_node_was_stopped_is_not_registered_again(
    node: PresenceNode, other: PresenceNode, clock: FrozenClock
) -> None:
    stays, went = caller(some_user(), "c1"), caller(some_user(), "c2")
    await other.connect(stays)
    await other.connect(went)
    node.nodes.alive.remove(N2)
    await node.burials.bury()
    other.signs.at_s[went.connection_id] = None  # its hook waits behind thousands
    await sweep_all_parts(other)
    assert node.told(watchers(went.user_id)) == ["offline"]
    assert other.told(watchers(went.user_id)) == ["online"]
    assert other.told(watchers(stays.user_id)) == ["online", "online"]


async def test_a_node_that_was_stopped_registers_nothing_before_it_can_know_that_it_was_buried(
    node: PresenceNode, other: PresenceNode
) -> None:
    ann = caller(some_user(), "c1")
    await other.connect(ann)
    node.nodes.alive.remove(N2)
    await node.burials.bury()
    other.sweeper._standstill._last_s -= 60
    await sweep_all_parts(other)
    assert other.told(watchers(ann.user_id)) == ["online"]
    other.sweeper._standstill._over_s -= STOPPED_S
    await sweep_all_parts(other)
    assert other.told(watchers(ann.user_id)) == ["online", "online"]


async def test_nobody_is_told_offline_because_redis_lost_everything(
    node: PresenceNode, other: PresenceNode, redis: Redis, clock: FrozenClock
) -> None:
    people = [(where, caller(some_user(), f"c{number}")) for number in range(20) for where in (node, other)]
    for where, person in people:
        await where.connect(person)
    before = {person.user_id: last_version(where, person.user_id) for where, person in people}
    await redis.flushall()
    clock.advance(1)
    for _ in range(PARTS + 2):
        await asyncio.gather(node.sweep(), other.sweep())
    for where, person in people:
        assert where.told(watchers(person.user_id)) == ["online", "online"]
        assert last_version(where, person.user_id) > before[person.user_id]
        assert await status(node, person.user_id) == "online"


async def test_an_old_state_of_redis_is_mended_and_nobody_who_is_there_is_told_offline(
    node: PresenceNode, other: PresenceNode, redis: Redis, clock: FrozenClock
) -> None:
    stays, leaves, comes = (caller(some_user(), f"c{number}") for number in range(3))
    await node.connect(stays)
    await node.connect(leaves)
    old = {key: await redis.dump(key) async for key in redis.scan_iter("*")}
    clock.advance(1)
    await node.connect(comes)
    await node.disconnect(leaves)
    clock.advance(5)
    await sweep_all_parts(node)
    assert node.told(watchers(leaves.user_id)) == ["online", "offline"]
    versions = {who.user_id: last_version(node, who.user_id) for who in (leaves, comes)}
    await redis.flushall()
    for key, value in old.items():
        await redis.restore(key, 0, value or b"")
    for _ in range(PARTS):
        await asyncio.gather(node.sweep(), other.sweep())
    clock.advance(5)
    await asyncio.gather(node.sweep(), other.sweep())
    told = {who: [*node.told(room), *other.told(room)] for who in (stays, leaves, comes) for room in [room_of(who)]}
    assert told[stays] == ["online"]
    assert told[comes] == ["online", "online"]
    # Whoever looked in between saw them online, so it is said once more.
    assert sorted(told[leaves]) == ["offline", "offline", "online"]
    assert last_version(node, comes.user_id) > versions[comes.user_id]
    [now] = (await node.ask("presence:get", stays, {"userIds": [leaves.user_id]}))["users"]
    assert (now["status"], now["version"] > versions[leaves.user_id]) == ("offline", True)


def room_of(who: Caller) -> RoomName:
    return watchers(who.user_id)


def last_version(node: PresenceNode, user_id: UserId) -> int:
    """The version that watchers were told last by this node."""
    return node.users_told(watchers(user_id))[-1].version


async def test_a_redis_that_lost_its_memory_learns_connections_status_and_text_again(
    node: PresenceNode, redis: Redis, clock: FrozenClock
) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    own = await node.ask("presence:update", ann, {"status": "busy", "text": "in a meeting"})
    await redis.flushall()
    clock.advance(1)
    await node.reconcile()
    await make_whole(redis)
    [again] = (await node.watching.get(ann, Users(user_ids=[ann.user_id]))).users
    assert (again.status, again.text) == ("busy", "in a meeting")
    assert again.version > own["version"]


async def test_a_connection_that_only_redis_knows_is_held_and_expires(
    node: PresenceNode, redis: Redis, clock: FrozenClock, settings: PresenceSettings
) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    forgetful = PresenceNode(redis, N1, clock, settings)
    await forgetful.reconcile()
    assert await status(node, ann.user_id) == "online"
    clock.advance(5)
    await forgetful.sweep()
    assert forgetful.told(watchers(ann.user_id)) == ["offline"]


@pytest.mark.parametrize("change", ["connect", "update"])
async def test_a_connection_that_goes_while_it_is_registered_is_held_all_the_same(
    node: PresenceNode, redis: Redis, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    await redis.flushall()
    node.nodes.alive.remove(N2)
    original = getattr(node.store, change)

    async def overtaken(connection: Connection, now_ms: int) -> Change:
        await node.disconnect(ann)  # and the store hears of that first
        made: Change = await original(connection, now_ms)
        return made

    monkeypatch.setattr(node.store, change, overtaken)
    if change == "connect":
        await node.reconcile()
    else:
        await node.ask("presence:update", ann, "busy")
    clock.advance(5)
    await node.sweep()
    assert await status(node, ann.user_id) == "offline"


async def test_who_left_while_redis_was_away_has_the_hold_from_its_return_on_and_not_from_a_later_look(
    node: PresenceNode, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [caller(some_user(), f"c{number}") for number in range(5)]
    for person in people:
        await node.connect(person)
    with monkeypatch.context() as patch:
        patch.setattr(node.store, "hold", _away)
        for person in people:
            await node.disconnect(person)
        with pytest.raises(Unavailable):
            await node.sweep()
    clock.advance(60)
    await node.sweep()
    clock.advance(4.9)
    await node.sweep()
    assert [node.told(watchers(person.user_id)) for person in people] == [["online"]] * 5
    clock.advance(0.1)
    await node.sweep()
    assert [node.told(watchers(person.user_id)) for person in people] == [["online", "offline"]] * 5


async def test_who_was_lost_just_before_redis_forgot_counts_for_the_rest_of_the_hold(
    node: PresenceNode, other: PresenceNode, redis: Redis, clock: FrozenClock
) -> None:
    lost, moved, left_before, late = (caller(some_user(), f"c{number}") for number in range(4))
    for person in (lost, moved, left_before, late):
        await node.connect(person)
    await node.ask("presence:update", lost, {"status": "busy", "text": "back soon"})
    await node.disconnect(left_before)
    clock.advance(3)
    await node.disconnect(moved)
    await asyncio.gather(node.sweep(), other.sweep())
    await redis.flushall()
    await node.disconnect(lost)  # by the loss itself
    node.signs.at_s[late.connection_id] = None  # too, and its hook waits behind thousands
    await other.connect(caller(moved.user_id, "c4"))
    clock.advance(1.9)
    await asyncio.gather(node.sweep(), other.sweep())
    await node.sweep()  # the first to end did not know yet that the other had told all too
    await node.disconnect(late)
    readings = [await status(other, person.user_id) for person in (lost, moved, left_before, late)]
    assert readings == ["busy", "online", "online", "online"]
    [view] = (await other.watching.get(moved, Users(user_ids=[lost.user_id]))).users
    assert view.text == "back soon"
    clock.advance(0.1)
    await other.sweep()
    assert await status(other, left_before.user_id) == "offline"
    assert await status(other, lost.user_id) == "busy"
    clock.advance(3)
    await other.sweep()
    assert other.told(watchers(lost.user_id)) == ["offline"]
    clock.advance(60)
    await other.sweep()
    assert other.told(watchers(moved.user_id)) == ["online"]


async def test_nobody_is_read_as_gone_whom_another_node_has_yet_to_tell_a_redis_that_forgot(
    node: PresenceNode, other: PresenceNode, redis: Redis, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else they would rise: gone for who asks meanwhile, there when they are held again, and gone once more."""
    stays, left = caller(some_user(), "c1"), caller(some_user(), "c2")
    for person in (stays, left):
        await other.connect(person)
    await asyncio.gather(node.sweep(), other.sweep())
    with monkeypatch.context() as patch:
        patch.setattr(other.store, "hold", _away)
        await other.disconnect(left)
        clock.advance(4)  # without Redis
    await redis.flushall()

    async def readings() -> list[str]:
        return [await status(node, person.user_id) for person in (stays, left)]

    with pytest.raises(Unavailable):  # nobody has noticed
        await readings()
    for _ in range(2):
        await node.sweep()
        with pytest.raises(Unavailable):
            await readings()
    clock.advance(2)  # the hold of who left would be over by now, had Redis been there
    await other.sweep()
    assert await readings() == ["online", "online"]
    clock.advance(5)
    await node.sweep()
    assert await readings() == ["online", "offline"]


async def test_who_left_while_redis_was_away_and_forgot_has_the_hold_from_its_return_on(
    node: PresenceNode, redis: Redis, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    await node.sweep()
    with monkeypatch.context() as patch:
        patch.setattr(node.store, "hold", _away)
        await node.disconnect(ann)
        for _ in range(10):
            clock.advance(1)
            with pytest.raises(Unavailable):
                await node.sweep()
    await redis.flushall()
    node.nodes.alive.remove(N2)
    await node.sweep()
    assert await status(node, ann.user_id) == "online"
    clock.advance(5)
    await node.sweep()
    assert node.told(watchers(ann.user_id)) == ["online", "online", "offline"]


async def test_what_redis_forgot_is_told_again_with_the_next_sweep_although_that_fails_at_first(
    node: PresenceNode, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [caller(some_user(), f"c{number}") for number in range(20)]
    for person in people:
        await node.connect(person)
    await node.sweep()
    await redis.flushall()
    with monkeypatch.context() as patch:
        patch.setattr(node.store, "connect", _away)
        with pytest.raises(Unavailable):
            await node.sweep()
    node.nodes.alive.remove(N2)
    await node.sweep()
    assert [await status(node, person.user_id) for person in people] == ["online"] * 20


async def _away(*_arguments: object) -> None:
    raise Unavailable


async def test_an_update_that_arrives_after_the_disconnect_brings_nobody_back(
    node: PresenceNode, clock: FrozenClock
) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    await node.disconnect(ann)
    with pytest.raises(Unavailable):
        await node.ask("presence:update", ann, "busy")
    clock.advance(5)
    await node.sweep()
    await node.reconcile()
    assert await status(node, ann.user_id) == "offline"

"""Devices that nobody uses, over a real Valkey."""

import time
from functools import partial

import pytest
from redis.asyncio import Redis

from hub.kernel.errors import InvalidPayload, Unavailable
from hub.kernel.events import Caller
from presence.settings import PresenceSettings
from tests.support.clock import FrozenClock
from tests.support.presence import caller, some_user
from tests.support.presence_node import N1, PresenceNode, make_whole, status, sweep_all_parts, watchers


def left_alone(node: PresenceNode, who: Caller, seconds: float) -> None:
    """Nobody has used a connection for so long."""
    node.signs.at_s[who.connection_id] = time.monotonic() - seconds
    for here in node.here:
        here.said_active_s = min(here.said_active_s, time.monotonic() - seconds)


def used(node: PresenceNode, who: Caller) -> None:
    node.signs.at_s[who.connection_id] = time.monotonic()


async def test_a_device_that_nobody_uses_is_away_until_somebody_does(node: PresenceNode) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    left_alone(node, ann, 599)
    await sweep_all_parts(node)
    assert node.told(watchers(ann.user_id)) == ["online"]
    left_alone(node, ann, 600)
    await sweep_all_parts(node)
    await sweep_all_parts(node)
    assert node.told(watchers(ann.user_id)) == ["online", "away"]
    used(node, ann)
    await node.sweep()  # of whatever part: it shows at once
    assert node.told(watchers(ann.user_id)) == ["online", "away", "online"]
    await sweep_all_parts(node)
    assert len(node.told(watchers(ann.user_id))) == 3


async def test_with_away_switched_off_nobody_is(redis: Redis, clock: FrozenClock) -> None:
    node = PresenceNode(redis, N1, clock, PresenceSettings(coalesce_s=0, away_s=0))
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    left_alone(node, ann, 100_000)
    await sweep_all_parts(node)
    assert node.told(watchers(ann.user_id)) == ["online"]
    await node.tasks.close()


async def test_a_client_that_says_that_nobody_is_there_is_away_until_it_says_so_or_somebody_does_something(
    node: PresenceNode,
) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    told = partial(node.told, watchers(ann.user_id))
    await node.ask("presence:active", ann, {"active": False})
    await node.ask("presence:active", ann, {"active": False})
    assert told() == ["online", "away"]
    await sweep_all_parts(node)
    assert told() == ["online", "away"]
    await node.ask("presence:active", ann, {"active": True})
    assert told() == ["online", "away", "online"]
    await node.ask("presence:active", ann, {"active": False})
    used(node, ann)
    await node.sweep()
    assert told() == ["online", "away", "online", "away", "online"]
    with pytest.raises(InvalidPayload):
        await node.ask("presence:active", ann, {"active": "yes"})
    await node.disconnect(ann)
    with pytest.raises(Unavailable):
        await node.ask("presence:active", ann, {"active": True})


async def test_a_device_used_over_another_node_is_not_away(node: PresenceNode, other: PresenceNode) -> None:
    ann = some_user()
    left, in_use = caller(ann, "c1"), caller(ann, "c2")
    await node.connect(left)
    await other.connect(in_use)
    left_alone(node, left, 600)
    left_alone(other, in_use, 10)
    await sweep_all_parts(node)
    await sweep_all_parts(other)
    assert await status(node, ann) == "online"
    left_alone(other, in_use, 600)
    await sweep_all_parts(other)
    assert await status(node, ann) == "away"


async def test_coming_back_to_an_idle_device_on_another_node_shows_nothing_and_the_next_activity_does(
    node: PresenceNode, other: PresenceNode
) -> None:
    ann = caller(some_user(), "c1")
    again = caller(ann.user_id, "c2")
    await node.connect(ann)
    left_alone(node, ann, 600)
    await sweep_all_parts(node)
    await node.disconnect(ann)
    other.signs.at_s[again.connection_id] = time.monotonic()
    await other.connect(again)
    await sweep_all_parts(other)
    assert other.told(watchers(ann.user_id)) == []
    used(other, again)
    await other.sweep()
    assert other.told(watchers(ann.user_id)) == ["online"]


async def test_idle_connections_are_idle_again_when_redis_lost_its_memory(node: PresenceNode, redis: Redis) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    left_alone(node, ann, 600)
    await sweep_all_parts(node)
    await redis.flushall()
    await node.reconcile()
    await make_whole(redis)
    assert await status(node, ann.user_id) == "away"


async def test_the_last_activity_of_a_device_in_use_is_renewed_now_and_then(
    node: PresenceNode, clock: FrozenClock
) -> None:
    ann, ben = caller(some_user(), "c1"), caller(some_user(), "c2")
    await node.connect(ann)
    [here] = node.here
    here.stored_active_s -= 300
    clock.advance(300)
    used(node, ann)
    await sweep_all_parts(node)
    [read] = (await node.ask("presence:get", ben, {"userIds": [ann.user_id]}))["users"]
    assert "2027-01-15T08:04:50" < read["devices"][0]["lastActive"] < "2027-01-15T08:05:01"
    assert node.told(watchers(ann.user_id)) == ["online"]

"""What those who watch are told as sight changes: blocks, settings, circles."""

import asyncio
from typing import Any

import pytest

from hub.kernel.errors import InvalidPayload, Unavailable
from hub.kernel.ids import ConnectionId, RoomName, user_room
from hub.kernel.sight import Circle, Visibility
from presence.schema import PresenceDiff
from presence.store_redis import RedisPresenceStore
from presence.views import watch_room
from tests.support.clock import FrozenClock
from tests.support.presence import some_user
from tests.support.watching_node import EVERYTHING, NOTHING, STATUS, WatchingNode, ids


async def test_a_block_is_told_once_as_absence_and_its_end_as_what_is_so(
    node: WatchingNode, clock: FrozenClock
) -> None:
    ann, ben = await node.connect("a"), await node.connect("b")
    [before] = await node.ask("presence:watch", ben, userIds=[ann.user_id])
    await node.ask("presence:watch", ann, userIds=[ben.user_id])
    node.sight.block(ann.user_id, ben.user_id)
    await node.look_again(ann, ben)
    assert (node.sees(ben, ann), node.sees(ann, ben)) == ([NOTHING], [NOTHING])
    [gone] = node.told(ben)
    assert (gone.user_id, gone.status, gone.last_seen, gone.devices) == (ann.user_id, "offline", None, [])
    assert gone.version > before["version"]
    assert ids(node.told(ann)) == [ben.user_id]
    await node.look_again(ann, ben)
    await node.look_again_at(ann)
    assert node.rooms.sent == []

    clock.advance(0.001)
    node.sight.limits.clear()
    await node.look_again(ann, ben)
    assert node.sees(ben, ann) == [EVERYTHING]
    [back] = node.told(ben)
    assert (back.user_id, back.status) == (ann.user_id, "online")
    assert back.version > gone.version
    for event in ("presence:get", "presence:watch"):
        [seen] = await node.ask(event, ben, userIds=[ann.user_id])
        assert (seen["status"], seen["version"]) == ("online", back.version)
    clock.advance(1)
    changed = await node.events.dispatch("presence:update", ann, "busy")
    assert changed["version"] > back.version


async def test_a_change_of_privacy_moves_each_watcher_to_what_they_may_see(node: WatchingNode) -> None:
    ann, friend, stranger, enemy = [await node.connect(name) for name in "afse"]
    node.sight.limits = {(enemy.user_id, ann.user_id): NOTHING}
    for watcher in (friend, stranger, enemy):
        await node.ask("presence:watch", watcher, userIds=[ann.user_id])

    async def choose(for_friend: Visibility, for_stranger: Visibility) -> list[tuple[str | None, bool] | None]:
        """What friend, stranger and enemy are told when Ann has chosen so: the status, and whether with last-seen."""
        node.sight.limits |= {(friend.user_id, ann.user_id): for_friend, (stranger.user_id, ann.user_id): for_stranger}
        await node.look_again_at(ann)
        assert [node.sees(one, ann) for one in (friend, stranger, enemy)] == [[for_friend], [for_stranger], [NOTHING]]
        told = [node.told(one) for one in (friend, stranger, enemy)]
        assert all(len(some) <= 1 for some in told)
        return [(some[0].status, some[0].last_seen is not None) if some else None for some in told]

    assert await choose(EVERYTHING, STATUS) == [None, ("online", False), None]
    assert await choose(STATUS, NOTHING) == [("online", False), ("offline", False), None]
    assert await choose(STATUS, NOTHING) == [None, None, None]
    assert await choose(EVERYTHING, EVERYTHING) == [("online", True), ("online", True), None]


async def test_versions_rise_for_a_watcher_through_every_change_of_what_they_see(
    node: WatchingNode, clock: FrozenClock
) -> None:
    ann, ben = await node.connect("a"), await node.connect("b")
    [first] = await node.ask("presence:watch", ben, userIds=[ann.user_id])
    versions = [first["version"]]
    for visibility in (NOTHING, STATUS, NOTHING, EVERYTHING, STATUS, EVERYTHING):
        node.sight.limits[ben.user_id, ann.user_id] = visibility
        await node.look_again(ben)
        versions += [user.version for user in node.told(ben)]
    clock.advance(1)
    await node.events.dispatch("presence:update", ann, "busy")
    [diff] = [event for event in node.rooms.events_to(watch_room(ann.user_id)) if isinstance(event, PresenceDiff)][-1:]
    versions.append(diff.users[0].version)
    assert versions == sorted(set(versions))
    assert len(versions) == 8


async def test_nobody_is_told_of_who_was_never_there(node: WatchingNode) -> None:
    ben, ghost = await node.connect("b"), some_user()
    await node.ask("presence:watch", ben, userIds=[ghost])
    for visibility in (NOTHING, EVERYTHING):
        node.sight.limits[ben.user_id, ghost] = visibility
        await node.look_again(ben)
    assert node.told(ben) == []


async def test_the_version_of_absence_does_not_tell_what_is_done_behind_a_block(
    node: WatchingNode, clock: FrozenClock
) -> None:
    ann, ben, quiet = [await node.connect(name) for name in "abq"]
    await node.ask("presence:watch", ben, userIds=ids([ann, quiet]))
    for person in (ann, quiet):
        node.sight.block(ben.user_id, person.user_id)
    await node.look_again(ben)
    node.rooms.sent.clear()
    clock.advance(60)
    await node.events.dispatch("presence:update", ann, "busy")
    clock.advance(1)
    again = await node.comes_back(ben, "b2")  # who comes back is told of what was moved once more
    one, other = node.told(again)
    assert (one.status, one.version, one.last_seen) == (other.status, other.version, other.last_seen)


async def test_a_block_that_comes_while_somebody_begins_to_watch_is_acted_on(
    node: WatchingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ben = await node.connect("a"), await node.connect("b")
    join = node.rooms.join

    async def join_as_they_are_blocked(connection_id: ConnectionId, room: RoomName) -> int:
        node.sight.block(ann.user_id, ben.user_id)
        return await join(connection_id, room)

    monkeypatch.setattr(node.rooms, "join", join_as_they_are_blocked)
    [shown] = await node.ask("presence:watch", ben, userIds=[ann.user_id])
    assert (shown["status"], shown["version"]) == ("offline", 0)
    assert node.sees(ben, ann) == [NOTHING]
    assert node.told(ben) == []


async def test_a_review_waits_for_the_watching_under_way_and_ends_it_in_the_right_room(
    node: WatchingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ben = await node.connect("a"), await node.connect("b")
    leave = node.rooms.leave
    for round_ in range(20):

        async def slowly(connection_id: ConnectionId, room: RoomName) -> int:
            await asyncio.sleep(0)
            return await leave(connection_id, room)

        monkeypatch.setattr(node.rooms, "leave", slowly)
        node.sight.limits = {(ben.user_id, ann.user_id): list(Visibility)[round_ % 3]}
        await asyncio.gather(
            node.ask("presence:watch", ben, userIds=[ann.user_id]),
            node.look_again(ben),
            node.look_again_at(ann),
            node.look_again(ben),
        )
        await node.look_again(ben)
        assert node.sees(ben, ann) == [list(Visibility)[round_ % 3]]


async def test_a_review_that_failed_half_way_leaves_nobody_in_a_room_that_shows_too_much(
    node: WatchingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ben = await node.connect("a"), await node.connect("b")
    node.sight.limits[ben.user_id, ann.user_id] = STATUS
    await node.ask("presence:watch", ben, userIds=[ann.user_id])

    async def broken(connection_id: ConnectionId, room: RoomName) -> int:
        raise Unavailable

    node.sight.limits[ben.user_id, ann.user_id] = EVERYTHING
    with monkeypatch.context() as patch:
        patch.setattr(node.rooms, "leave", broken)
        with pytest.raises(Unavailable):
            await node.look_again(ben)
    node.sight.limits[ben.user_id, ann.user_id] = NOTHING
    await node.look_again(ben)
    assert node.sees(ben, ann) == [NOTHING]


@pytest.mark.parametrize("by", ["viewer", "watched"])
async def test_what_could_not_be_told_is_told_when_the_review_is_repeated(
    node: WatchingNode, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    ann, ben = await node.connect("a"), await node.connect("b")
    room = user_room(ben.user_id) if by == "viewer" else watch_room(ann.user_id)
    await node.ask("presence:watch", ben, userIds=[ann.user_id])
    heard: list[str] = []
    async with node.feeds.follow(ben.user_id, ann.user_id, lambda presence: heard.append(presence["status"])):
        node.sight.block(ann.user_id, ben.user_id)

        async def broken(*_: object) -> Any:
            raise Unavailable

        with monkeypatch.context() as patch:
            patch.setattr(RedisPresenceStore, "look", broken)
            for reviewer in (node.watching, node.feeds):
                with pytest.raises(Unavailable):
                    await reviewer.review(room)
        assert (node.told(ben), heard) == ([], [])
        for reviewer in (node.watching, node.feeds):
            assert reviewer.concerns(room)
            await reviewer.review(room)
    assert [user.status for user in node.told(ben)] == heard == ["offline"]


# -------------------------------------------------------------------- circles


async def test_a_circle_is_watched_as_it_grows_and_shrinks(node: WatchingNode) -> None:
    ann, ben, cat, me = [await node.connect(name) for name in "abcm"]
    circle = node.sight.circles[me.user_id, Circle.FOLLOWING] = [ann.user_id]
    answer = await node.ask("presence:watch", me, people="following", userIds=[cat.user_id])
    assert [(user["userId"], user["status"]) for user in answer] == [(cat.user_id, "online"), (ann.user_id, "online")]
    circle.append(ben.user_id)
    await node.look_again(me)
    assert [(user.user_id, user.status) for user in node.told(me)] == [(ben.user_id, "online")]
    circle[:] = [ben.user_id, cat.user_id]
    await node.look_again(me)
    circle.remove(cat.user_id)
    await node.look_again(me)
    assert [node.sees(me, one) for one in (ann, ben, cat)] == [[], [EVERYTHING], [EVERYTHING]]  # Cat was chosen
    assert await node.ask("presence:unwatch", me, people="following") == []
    assert [node.sees(me, one) for one in (ann, ben, cat)] == [[], [], [EVERYTHING]]
    circle.append(ann.user_id)
    await node.look_again(me)
    assert node.sees(me, ann) == []
    assert node.told(me) == []


async def test_of_a_circle_nobody_is_told_of_whom_the_viewer_may_see_nothing(node: WatchingNode) -> None:
    ann, me = await node.connect("a"), await node.connect("m")
    node.sight.limits[me.user_id, ann.user_id] = NOTHING
    await node.ask("presence:watch", me, people="friends")
    node.sight.circles[me.user_id, Circle.FRIENDS] = [ann.user_id, me.user_id]
    await node.look_again(me)
    assert node.sees(me, ann) == [NOTHING]
    assert node.told(me) == []


async def test_a_circle_that_is_too_large_is_refused_and_one_that_grows_so_keeps_who_is_watched(
    node: WatchingNode,
) -> None:
    me = await node.connect("m")
    circle = node.sight.circles[me.user_id, Circle.FOLLOWING] = [some_user() for _ in range(501)]
    with pytest.raises(InvalidPayload, match="500") as refusal:
        await node.ask("presence:watch", me, people="following")
    assert [error["pointer"] for error in refusal.value.details["errors"]] == ["/people"]
    assert node.rooms_of(me) == {}
    watched = circle[1:]
    circle[:] = watched
    assert len(await node.ask("presence:watch", me, people="following")) == 500
    circle.insert(0, some_user())
    await node.look_again(me)
    assert {room for room in node.rooms_of(me) if ":" not in room} == set(watched)
    with pytest.raises(InvalidPayload, match="500"):
        await node.ask("presence:watch", me, userIds=[some_user()])


# -------------------------------------------------------------------- coming back

"""Who watches whom, and sees how much of it, over a real Valkey, with rooms that remember what was sent."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from hub.kernel.errors import InvalidPayload, Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, NodeId, RoomName, UserId, user_room
from hub.kernel.sight import Circle, Visibility
from hub.kernel.tasks import Tasks
from presence.connections_here import ConnectionsHere
from presence.diffs import Diffs
from presence.feeds import PresenceFeeds
from presence.handlers import presence_events
from presence.idleness import Idleness
from presence.schema import Presence, PresenceDiff, Users
from presence.service import PresenceService
from presence.settings import PresenceSettings
from presence.store_redis import RedisPresenceStore
from presence.transitions import Told
from presence.typing_indicator import TypingIndicator
from presence.views import watch_room
from presence.watchers import Watcher, Watchers
from presence.watching import Watching
from tests.support.clock import FrozenClock
from tests.support.presence import KnownNodes, MemoryTransitions, Sights, Signs, caller, some_user
from tests.support.rooms import RecordedRooms

NOTHING, STATUS, EVERYTHING = Visibility


class Node:
    """The watching part of presence on one node, and what its connections were told of others."""

    def __init__(self, redis: Redis, clock: FrozenClock) -> None:
        self.rooms, self.sight, self.tasks, self.clock = RecordedRooms(), Sights(), Tasks(), clock
        store = RedisPresenceStore(redis)
        told = Told(MemoryTransitions(), self.rooms, self.tasks)
        nodes, settings = KnownNodes(NodeId("01NODE1")), PresenceSettings()
        diffs = Diffs(self.rooms, told, self.tasks, 0)
        here = ConnectionsHere(Signs(), clock)
        self.service = PresenceService(here, store, diffs, nodes, clock, settings)
        self.watchers = Watchers(store, self.rooms, self.sight, clock)
        self.watching = Watching(self.service, store, self.watchers, self.sight, clock)
        self.feeds = PresenceFeeds(store, self.rooms, self.sight, clock)
        typing = TypingIndicator(self.rooms, clock, settings, self.sight)
        idleness = Idleness(here, store, diffs, clock, settings.away_s)
        self.events = presence_events(self.service, idleness, self.watching, typing)

    async def connect(self, name: str) -> Caller:
        who = caller(some_user(), name)
        for hook in self.events.connected:
            await hook(who)
        return who

    async def ask(self, name: str, who: Caller, **payload: Any) -> list[dict[str, Any]]:
        return list((await self.events.dispatch(name, who, payload))["users"])

    async def look_again(self, *people: Caller) -> None:
        """What a node does when a relation between these has changed."""
        for person in people:
            await self._review(user_room(person.user_id))

    async def look_again_at(self, person: Caller) -> None:
        """What a node does when somebody's privacy settings have changed."""
        for visibility in Visibility:
            await self._review(watch_room(person.user_id, visibility))

    async def _review(self, of: RoomName) -> None:
        for reviewer in (self.watching, self.feeds):
            if reviewer.concerns(of):
                await reviewer.review(of)

    def told(self, who: Caller) -> list[Presence]:
        """What this connection was told of others, by itself, since it was asked last."""
        mine = [one for one in self.rooms.sent if one[0] == who.connection_id]
        self.rooms.sent = [one for one in self.rooms.sent if one not in mine]
        return [user for _, event in mine if isinstance(event, PresenceDiff) for user in event.users]

    def sees(self, who: Caller, person: Caller) -> list[Visibility]:
        """The watch rooms of a person that a connection is in."""
        return [
            visibility
            for visibility in Visibility
            if self.rooms.is_member(who.connection_id, watch_room(person.user_id, visibility))
        ]

    def rooms_of(self, who: Caller) -> dict[str, bytes]:
        """What a connection that comes back is said to be in, with its notes."""
        rooms = [room for room, members in self.rooms.members.items() if who.connection_id in members]
        return {
            room.removeprefix("presence:"): self.rooms.notes.get((who.connection_id, room), b"")
            for room in rooms
            if room.startswith("presence:")
        }

    async def comes_back(self, who: Caller, name: str) -> Caller:
        """The client of a connection has come back over another one, on a node that knows nothing of it."""
        rooms, new = self.rooms_of(who), Caller(who.user_id, who.session_id, ConnectionId(name), who.device)
        for hook in self.events.disconnected:
            await hook(who)
        for room in rooms:
            self.rooms.members[RoomName(f"presence:{room}")].discard(who.connection_id)
            await self.rooms.join(new.connection_id, RoomName(f"presence:{room}"))
        await self.events.restores["presence"](new, rooms)
        for hook in self.events.connected:
            await hook(new)
        return new


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
async def node(redis: Redis, clock: FrozenClock) -> AsyncIterator[Node]:
    node = Node(redis, clock)
    yield node
    await node.tasks.close()


def ids(people: Sequence[Any]) -> list[UserId]:
    return [person.user_id for person in people]


# -------------------------------------------------------------------- what is seen


@pytest.mark.parametrize("event", ["presence:get", "presence:watch"])
async def test_who_may_not_know_sees_no_last_seen_and_who_may_see_nothing_sees_absence(node: Node, event: str) -> None:
    ann, ben, cat, dan = [await node.connect(name) for name in "abcd"]
    node.sight.limits = {(dan.user_id, ben.user_id): STATUS, (dan.user_id, cat.user_id): NOTHING}
    unknown = some_user()
    everything, status, nothing, absence = await node.ask(event, dan, userIds=[*ids([ann, ben, cat]), unknown])
    assert (everything["status"], everything["lastSeen"]) == ("online", "2027-01-15T08:00:00Z")
    [device] = everything["devices"]
    assert device.pop("lastActive") == "2027-01-15T08:00:00Z"
    assert status == everything | {"userId": ben.user_id, "lastSeen": None}
    assert nothing == absence | {"userId": cat.user_id}
    assert absence == {"userId": unknown, "status": "offline", "lastSeen": None, "devices": [], "version": 0}


async def test_one_look_is_enough_to_read_500_people(node: Node) -> None:
    ann = await node.connect("a")
    await node.ask("presence:get", ann, userIds=[some_user() for _ in range(500)])
    assert node.sight.asked == 1


async def test_the_version_of_somebody_offline_tells_nothing_to_who_may_not_know_last_seen(
    node: Node, clock: FrozenClock
) -> None:
    ann, ben, cat = [await node.connect(name) for name in "abc"]
    node.sight.limits = {(cat.user_id, one.user_id): STATUS for one in (ann, ben)}
    for person in (ann, ben):
        clock.advance(60)
        await node.events.dispatch("presence:update", person, "invisible")
    clock.advance(60)
    one, other = await node.ask("presence:get", cat, userIds=ids([ann, ben]))
    assert one == other | {"userId": ann.user_id}
    assert (one["status"], one["lastSeen"]) == ("offline", None)
    assert one["version"] > 0


# -------------------------------------------------------------------- live changes


async def test_a_block_is_told_once_as_absence_and_its_end_as_what_is_so(node: Node, clock: FrozenClock) -> None:
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


async def test_a_change_of_privacy_moves_each_watcher_to_what_they_may_see(node: Node) -> None:
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
    node: Node, clock: FrozenClock
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


async def test_nobody_is_told_of_who_was_never_there(node: Node) -> None:
    ben, ghost = await node.connect("b"), some_user()
    await node.ask("presence:watch", ben, userIds=[ghost])
    for visibility in (NOTHING, EVERYTHING):
        node.sight.limits[ben.user_id, ghost] = visibility
        await node.look_again(ben)
    assert node.told(ben) == []


async def test_the_version_of_absence_does_not_tell_what_is_done_behind_a_block(node: Node, clock: FrozenClock) -> None:
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
    node: Node, monkeypatch: pytest.MonkeyPatch
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
    node: Node, monkeypatch: pytest.MonkeyPatch
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
    node: Node, monkeypatch: pytest.MonkeyPatch
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
    node: Node, monkeypatch: pytest.MonkeyPatch, by: str
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
            patch.setattr(RedisPresenceStore, "read", broken)
            for reviewer in (node.watching, node.feeds):
                with pytest.raises(Unavailable):
                    await reviewer.review(room)
        assert (node.told(ben), heard) == ([], [])
        for reviewer in (node.watching, node.feeds):
            assert reviewer.concerns(room)
            await reviewer.review(room)
    assert [user.status for user in node.told(ben)] == heard == ["offline"]


# -------------------------------------------------------------------- circles


async def test_a_circle_is_watched_as_it_grows_and_shrinks(node: Node) -> None:
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


async def test_of_a_circle_nobody_is_told_of_whom_the_viewer_may_see_nothing(node: Node) -> None:
    ann, me = await node.connect("a"), await node.connect("m")
    node.sight.limits[me.user_id, ann.user_id] = NOTHING
    await node.ask("presence:watch", me, people="friends")
    node.sight.circles[me.user_id, Circle.FRIENDS] = [ann.user_id, me.user_id]
    await node.look_again(me)
    assert node.sees(me, ann) == [NOTHING]
    assert node.told(me) == []


async def test_a_circle_that_is_too_large_is_refused_and_one_that_grows_so_keeps_who_is_watched(node: Node) -> None:
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


async def test_whoever_comes_back_watches_whom_they_did_and_is_told_only_what_is_new(node: Node) -> None:
    ann, ben, cat, me = [await node.connect(name) for name in "abcm"]
    node.sight.limits = {(me.user_id, ben.user_id): STATUS, (me.user_id, cat.user_id): NOTHING}
    await node.ask("presence:watch", me, userIds=ids([ann, ben, cat]))
    again = await node.comes_back(me, "m2")
    assert node.told(again) == []
    assert [node.sees(again, one) for one in (ann, ben, cat)] == [[EVERYTHING], [STATUS], [NOTHING]]
    node.sight.limits = {(me.user_id, ann.user_id): NOTHING}
    once_more = await node.comes_back(again, "m3")
    assert {user.user_id: user.status for user in node.told(once_more)} == {
        ann.user_id: "offline",
        ben.user_id: "online",
        cat.user_id: "online",
    }
    node.sight.limits.clear()
    await node.look_again_at(ann)
    assert ids(node.told(once_more)) == [ann.user_id]


async def test_what_was_told_when_the_connection_broke_is_told_again_in_a_higher_version(node: Node) -> None:
    ann, me = await node.connect("a"), await node.connect("m")
    await node.ask("presence:watch", me, userIds=[ann.user_id])
    node.sight.limits[me.user_id, ann.user_id] = NOTHING
    await node.look_again(me)
    [lost] = node.told(me)
    again = await node.comes_back(me, "m2")
    [told] = node.told(again)
    assert (told.status, told.version > lost.version) == ("offline", True)
    node.sight.limits.clear()
    await node.look_again(again)
    [back] = node.told(again)
    assert (back.status, back.version > told.version) == ("online", True)


async def test_a_circle_outlives_the_connection_and_so_does_who_was_chosen_beside_it(node: Node) -> None:
    chosen, both, dropped, new, me = [await node.connect(name) for name in "cbdnm"]
    circle = node.sight.circles[me.user_id, Circle.FOLLOWING] = ids([both, dropped])
    await node.ask("presence:watch", me, userIds=[chosen.user_id])
    await node.ask("presence:watch", me, people="following")
    await node.ask("presence:watch", me, userIds=[both.user_id])
    circle[:] = [new.user_id]  # while the connection is away
    again = await node.comes_back(me, "m2")
    assert ids(node.told(again)) == [new.user_id]
    seen = [node.sees(again, one) for one in (chosen, both, dropped, new)]
    assert seen == [[EVERYTHING], [EVERYTHING], [], [EVERYTHING]]
    circle.clear()
    await node.look_again(again)
    assert [node.sees(again, one) for one in (chosen, both, new)] == [[EVERYTHING], [EVERYTHING], []]


async def test_whoever_was_moved_when_their_node_died_comes_back_into_the_room_that_shows_less(node: Node) -> None:
    ann, me = await node.connect("a"), await node.connect("m")
    await node.ask("presence:watch", me, userIds=[ann.user_id])
    node.sight.limits[me.user_id, ann.user_id] = NOTHING
    await node.rooms.join(me.connection_id, watch_room(ann.user_id, NOTHING))  # and no further
    again = await node.comes_back(me, "m2")
    assert node.sees(again, ann) == [NOTHING]
    assert [user.status for user in node.told(again)] == ["offline"]


async def test_whoever_was_moved_and_not_told_when_the_connection_broke_is_told_as_they_come_back(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, me = await node.connect("a"), await node.connect("m")
    await node.ask("presence:watch", me, userIds=[ann.user_id])
    node.sight.limits[me.user_id, ann.user_id] = NOTHING
    tell = node.watchers.tell

    async def broken(watcher: Watcher) -> None:
        raise Unavailable

    monkeypatch.setattr(node.watchers, "tell", broken)
    with pytest.raises(Unavailable):
        await node.look_again(me)
    monkeypatch.setattr(node.watchers, "tell", tell)
    again = await node.comes_back(me, "m2")
    assert [user.status for user in node.told(again)] == ["offline"]


# -------------------------------------------------------------------- bad input


@pytest.mark.parametrize("event", ["presence:watch", "presence:unwatch", "presence:get"])
@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ({}, "/userIds"),
        ({"userIds": [str(some_user()) for _ in range(501)]}, "/userIds"),
        ({"userIds": ["ann"]}, "/userIds/0"),
        ({"userIds": [None]}, "/userIds/0"),
        ({"userIds": "ann"}, "/userIds"),
        ({"userIds": [], "people": "everybody"}, "/people"),
        ({"userIds": [], "limit": 1}, "/limit"),
    ],
    ids=["nobody", "501", "no id", "null", "text", "no circle", "unknown field"],
)
async def test_what_fits_nothing_is_refused_by_field(node: Node, event: str, payload: object, pointer: str) -> None:
    ann = await node.connect("a")
    with pytest.raises(InvalidPayload) as refusal:
        await node.events.dispatch(event, ann, payload)
    assert [error["pointer"] for error in refusal.value.details["errors"]] == [pointer]
    assert node.rooms_of(ann) == {}


@pytest.mark.parametrize("event", ["presence:watch", "presence:get"])
async def test_an_empty_list_is_nobody_and_a_repeated_id_one_person(node: Node, event: str) -> None:
    ann, ben = await node.connect("a"), await node.connect("b")
    assert await node.ask(event, ann, userIds=[]) == []
    assert [user["userId"] for user in await node.ask(event, ann, userIds=[ben.user_id] * 500)] == [ben.user_id]


# -------------------------------------------------------------------- feeds


async def test_a_feed_hears_what_its_viewer_may_see_and_of_each_change_of_that(node: Node) -> None:
    ann, ben = await node.connect("a"), await node.connect("b")
    heard: list[tuple[str, bool]] = []

    def hear(presence: Any) -> None:
        heard.append((presence["status"], presence["lastSeen"] is not None))

    async with node.feeds.follow(ben.user_id, ann.user_id, hear):
        await node.events.dispatch("presence:update", ann, "busy")
        node.sight.limits[ben.user_id, ann.user_id] = STATUS
        await node.look_again_at(ann)
        await node.events.dispatch("presence:update", ann, "dnd")
        node.sight.limits[ben.user_id, ann.user_id] = NOTHING
        await node.look_again(ben)
        await node.events.dispatch("presence:update", ann, "away")
        del node.sight.limits[ben.user_id, ann.user_id]
        await node.look_again(ben)
        await node.look_again(ben)
    assert heard == [("busy", True), ("busy", False), ("dnd", False), ("offline", False), ("away", True)]
    assert not any(node.rooms.listeners.values())
    assert not node.feeds.concerns(user_room(ben.user_id))


async def test_a_block_that_comes_while_somebody_begins_to_follow_is_told(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ben = await node.connect("a"), await node.connect("b")
    listen = node.rooms.listen

    def listen_as_they_are_blocked(*arguments: Any) -> Any:
        node.sight.block(ann.user_id, ben.user_id)
        return listen(*arguments)

    monkeypatch.setattr(node.rooms, "listen", listen_as_they_are_blocked)
    heard: list[str] = []
    async with node.feeds.follow(ben.user_id, ann.user_id, lambda presence: heard.append(presence["status"])):
        await node.events.dispatch("presence:update", ann, "busy")
    assert heard == ["offline"]


async def test_a_feed_of_oneself_hears_the_truth(node: Node) -> None:
    ann = await node.connect("a")
    heard: list[str] = []
    async with node.feeds.follow(ann.user_id, ann.user_id, lambda presence: heard.append(presence["status"])):
        await node.events.dispatch("presence:update", ann, "invisible")
    assert heard == ["invisible"]


async def test_rest_answers_as_sockets_do(node: Node) -> None:
    ann, ben = await node.connect("a"), await node.connect("b")
    node.sight.limits[ben.user_id, ann.user_id] = STATUS
    [by_socket] = await node.ask("presence:get", ben, userIds=[ann.user_id])
    [by_rest] = (await node.watching.get(ben, Users(user_ids=[ann.user_id]))).users
    assert (by_rest.status, by_rest.last_seen) == (by_socket["status"], by_socket["lastSeen"]) == ("online", None)

"""The service over a real Valkey, with rooms that remember what was sent."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from msgspec import UNSET
from redis.asyncio import Redis

from hub.kernel.errors import InvalidPayload, Unavailable
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, NodeId, RoomName, UserId, user_room
from hub.kernel.tasks import Tasks
from presence.connections_here import ConnectionsHere
from presence.diffs import Diffs
from presence.handlers import presence_events
from presence.idleness import Idleness
from presence.metrics import METRICS
from presence.model import PARTS
from presence.relay import Relay
from presence.routes import presence_api
from presence.schema import Presence, PresenceDiff, PresenceQuery, Users
from presence.service import PresenceService
from presence.settings import PresenceSettings
from presence.store_redis import TRANSITIONS, RedisPresenceStore
from presence.sweeper import STOPPED_S, Sweeper
from presence.transitions import Told
from presence.transitions_redis import RedisTransitions
from presence.typing_indicator import TypingIndicator
from presence.watchers import Watchers
from presence.watching import Watching
from tests.support.clock import FrozenClock
from tests.support.presence import KnownNodes, Sights, Signs, caller, some_user
from tests.support.rooms import RecordedRooms
from tests.support.wait import until

N1, N2 = NodeId("01NODE1"), NodeId("01NODE2")


class Node:
    """Presence of one node, put together as the composition root does."""

    def __init__(self, redis: Redis, node_id: NodeId, clock: FrozenClock, settings: PresenceSettings) -> None:
        self.rooms = RecordedRooms()
        self.sight = Sights()
        self.nodes = KnownNodes(node_id, {N1, N2})
        self.tasks = Tasks()
        store = RedisPresenceStore(redis)
        transitions = RedisTransitions(redis, TRANSITIONS)
        told = Told(transitions, self.rooms, self.tasks)
        diffs = Diffs(self.rooms, told, self.tasks, settings.coalesce_s)
        relay = Relay(store, transitions, told, diffs, clock, settings.overdue_s)
        self.signs = Signs()
        self.here = here = ConnectionsHere(self.signs, clock)
        self.service = PresenceService(here, store, diffs, self.nodes, clock, settings)
        idleness = Idleness(here, store, diffs, clock, settings.away_s)
        watchers = Watchers(store, self.rooms, self.sight, clock)
        self.watching = Watching(self.service, store, watchers, self.sight, clock)
        typing = TypingIndicator(self.rooms, clock, settings, self.sight)
        self.sweeper = Sweeper(store, here, self.service, idleness, typing, diffs, relay, self.nodes, clock, settings)
        self.events = presence_events(self.service, idleness, self.watching, typing)

    async def connect(self, who: Caller) -> None:
        for hook in self.events.connected:
            await hook(who)

    async def disconnect(self, who: Caller) -> None:
        for hook in self.events.disconnected:
            await hook(who)

    async def ask(self, name: str, who: Caller, data: object) -> Any:
        return await self.events.dispatch(name, who, data)

    async def reconcile(self) -> None:
        for part in range(PARTS):
            await self.service.reconcile(part)

    def told(self, room: RoomName) -> list[str]:
        """The statuses that a room was told of, in order."""
        return [user.status for user in self.users_told(room)]

    def users_told(self, room: RoomName) -> list[Presence]:
        """What a room was told of, in order."""
        events = self.rooms.events_to(room)
        return [user for event in events if isinstance(event, PresenceDiff) for user in event.users]


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def settings() -> PresenceSettings:
    return PresenceSettings(coalesce_s=0, sweep_s=0.01)


@pytest.fixture
async def node(redis: Redis, clock: FrozenClock, settings: PresenceSettings) -> AsyncIterator[Node]:
    node = Node(redis, N1, clock, settings)
    yield node
    await node.tasks.close()


@pytest.fixture
async def other(redis: Redis, clock: FrozenClock, settings: PresenceSettings) -> AsyncIterator[Node]:
    node = Node(redis, N2, clock, settings)
    yield node
    await node.tasks.close()


@pytest.fixture
async def lonely(clock: FrozenClock, settings: PresenceSettings) -> AsyncIterator[Node]:
    """A node without Redis."""
    async with Redis.from_url("redis://127.0.0.1:1") as nowhere:
        node = Node(nowhere, N1, clock, settings)
        yield node
        await node.tasks.close()


def watchers(user_id: UserId) -> RoomName:
    return RoomName(f"presence:{user_id}")


async def status(node: Node, of: UserId) -> str:
    reader = caller(some_user(), "reader")
    [user] = (await node.ask("presence:get", reader, {"userIds": [of]}))["users"]
    return str(user["status"])


async def test_a_visit_is_told_as_online_and_after_the_hold_as_offline(node: Node, clock: FrozenClock) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    await node.disconnect(ann)
    clock.advance(4.9)
    await node.sweeper.sweep()
    assert node.told(watchers(ann.user_id)) == node.told(user_room(ann.user_id)) == ["online"]
    clock.advance(0.1)
    await node.sweeper.sweep()
    await node.sweeper.sweep()
    assert node.told(watchers(ann.user_id)) == node.told(user_room(ann.user_id)) == ["online", "offline"]


async def test_a_second_device_gone_leaves_the_user_online(node: Node, other: Node, clock: FrozenClock) -> None:
    ann = some_user()
    await node.connect(caller(ann, "c1", "web"))
    phone = caller(ann, "c2", "phone")
    await other.connect(phone)
    await other.disconnect(phone)
    clock.advance(5)
    await node.sweeper.sweep()
    assert await status(other, ann) == "online"


async def test_a_dead_node_takes_its_users_offline_once_though_all_others_sweep(
    node: Node, other: Node, redis: Redis, clock: FrozenClock, settings: PresenceSettings
) -> None:
    ann = caller(some_user(), "c1")
    await other.connect(ann)
    node.nodes.alive.remove(N2)
    witness = Node(redis, NodeId("01NODE3"), clock, settings)
    witness.nodes.alive.remove(N2)
    for _ in range(3):
        await asyncio.gather(node.sweeper.sweep(), witness.sweeper.sweep())
    assert node.told(watchers(ann.user_id)) + witness.told(watchers(ann.user_id)) == ["offline"]


async def test_a_node_whose_lease_is_seen_late_keeps_its_users(node: Node, other: Node) -> None:
    ann = caller(some_user(), "c1")
    await other.connect(ann)
    node.nodes.alive.remove(N2)
    await node.sweeper.sweep()
    node.nodes.alive.add(N2)
    await node.sweeper.sweep()
    node.nodes.alive.remove(N2)
    await node.sweeper.sweep()
    assert await status(node, ann.user_id) == "online"


async def test_an_update_answers_the_own_presence_as_the_contract_has_it(node: Node) -> None:
    ann = caller(some_user(), "c1", "unknown")
    await node.connect(ann)
    own = await node.ask("presence:update", ann, {"status": "busy", "text": "in a meeting", "device": "laptop"})
    moment = "2027-01-15T08:00:00Z"
    assert own == {
        "userId": ann.user_id,
        "status": "busy",
        "text": "in a meeting",
        "lastSeen": moment,
        "devices": [{"device": "laptop", "kind": "other", "status": "busy", "since": moment, "lastActive": moment}],
        "version": 1_800_000_000_001,
    }
    bare = await node.ask("presence:update", ann, "away")
    assert (bare["status"], bare["text"], bare["version"]) == ("away", "in a meeting", own["version"] + 1)
    assert "text" not in await node.ask("presence:update", ann, {"status": "away", "text": ""})


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ("offline", "/status"),
        ({"status": "busy", "text": "x" * 141}, "/text"),
        ({"status": "busy", "mood": "good"}, "/mood"),
        ({"status": "busy", "device": ""}, "/device"),
        ({"status": "busy", "text": "lunch", "textExpiresAt": "2027-01-15T08:00:00Z"}, "/textExpiresAt"),
        ({"status": "busy", "text": "lunch", "textExpiresAt": "2027-01-15T09:00:00"}, "/textExpiresAt"),
        ({"status": "busy", "text": "lunch", "textExpiresAt": "soon"}, "/textExpiresAt"),
        ({"status": "busy", "text": "", "textExpiresAt": "2027-01-15T09:00:00Z"}, "/textExpiresAt"),
        ({"status": "busy", "textExpiresAt": "2027-01-15T09:00:00Z"}, "/textExpiresAt"),
        (None, ""),
    ],
)
async def test_an_update_that_does_not_fit_is_refused_by_field(node: Node, payload: object, pointer: str) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    with pytest.raises(InvalidPayload) as refusal:
        await node.ask("presence:update", ann, payload)
    assert [error["pointer"] for error in refusal.value.details["errors"]] == [pointer]


async def test_a_text_is_over_at_its_end_for_readers_devices_and_watchers(node: Node, clock: FrozenClock) -> None:
    ann, ben = caller(some_user(), "c1"), caller(some_user(), "c2")
    await node.connect(ann)
    lunch = {"status": "busy", "text": "lunch", "textExpiresAt": "2027-01-15T10:00:30+02:00"}
    own = await node.ask("presence:update", ann, lunch)
    assert (own["text"], own["textExpiresAt"]) == ("lunch", "2027-01-15T08:00:30Z")
    clock.advance(30)
    [read] = (await node.ask("presence:get", ben, {"userIds": [ann.user_id]}))["users"]
    assert (read.get("text"), read.get("textExpiresAt")) == (None, None)
    for room in (watchers(ann.user_id), user_room(ann.user_id)):
        assert [user.text for user in node.users_told(room)] == [UNSET, "lunch"]
    await node.sweeper.sweep()
    await node.sweeper.sweep()
    for room in (watchers(ann.user_id), user_room(ann.user_id)):
        assert [user.text for user in node.users_told(room)] == [UNSET, "lunch", UNSET]


async def test_a_text_that_ended_does_not_come_back_when_redis_lost_its_memory(
    node: Node, redis: Redis, clock: FrozenClock
) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    lunch = {"status": "busy", "text": "lunch", "textExpiresAt": "2027-01-15T08:00:30Z"}
    await node.ask("presence:update", ann, lunch)
    await redis.flushall()
    await node.reconcile()
    [again] = (await node.watching.get(ann, Users(user_ids=[ann.user_id]))).users
    assert (again.text, again.status) == ("lunch", "busy")
    await redis.flushall()
    clock.advance(30)
    await node.reconcile()
    [again] = (await node.watching.get(ann, Users(user_ids=[ann.user_id]))).users
    assert (again.text, again.status) == (UNSET, "busy")


# ---------------------------------------------------------------- stopped and buried


async def test_a_connection_that_went_while_its_node_was_stopped_is_not_registered_again(
    node: Node, other: Node, clock: FrozenClock
) -> None:
    stays, went = caller(some_user(), "c1"), caller(some_user(), "c2")
    await other.connect(stays)
    await other.connect(went)
    node.nodes.alive.remove(N2)
    for _ in range(2):
        await node.sweeper.sweep()
    other.signs.at_s[went.connection_id] = None  # its hook waits behind thousands
    await sweep_all_parts(other)
    assert node.told(watchers(went.user_id)) == ["offline"]
    assert other.told(watchers(went.user_id)) == ["online"]
    assert other.told(watchers(stays.user_id)) == ["online", "online"]


async def test_a_node_that_was_stopped_registers_nothing_before_it_can_know_that_it_was_buried(
    node: Node, other: Node
) -> None:
    ann = caller(some_user(), "c1")
    await other.connect(ann)
    node.nodes.alive.remove(N2)
    for _ in range(2):
        await node.sweeper.sweep()
    other.sweeper._last_s -= 60
    await sweep_all_parts(other)
    assert other.told(watchers(ann.user_id)) == ["online"]
    other.sweeper._trusted_from_s -= STOPPED_S
    await sweep_all_parts(other)
    assert other.told(watchers(ann.user_id)) == ["online", "online"]


# ---------------------------------------------------------------- Redis starts anew


async def test_nobody_is_told_offline_because_redis_lost_everything(
    node: Node, other: Node, redis: Redis, clock: FrozenClock
) -> None:
    people = [(where, caller(some_user(), f"c{number}")) for number in range(20) for where in (node, other)]
    for where, person in people:
        await where.connect(person)
    before = {person.user_id: last_version(where, person.user_id) for where, person in people}
    await redis.flushall()
    clock.advance(1)
    for _ in range(PARTS + 2):
        await asyncio.gather(node.sweeper.sweep(), other.sweeper.sweep())
    for where, person in people:
        assert where.told(watchers(person.user_id)) == ["online", "online"]
        assert last_version(where, person.user_id) > before[person.user_id]
        assert await status(node, person.user_id) == "online"


async def test_an_old_state_of_redis_is_mended_and_nobody_who_is_there_is_told_offline(
    node: Node, other: Node, redis: Redis, clock: FrozenClock
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
        await asyncio.gather(node.sweeper.sweep(), other.sweeper.sweep())
    clock.advance(5)
    await asyncio.gather(node.sweeper.sweep(), other.sweeper.sweep())
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


def last_version(node: Node, user_id: UserId) -> int:
    """The version that watchers were told last by this node."""
    return node.users_told(watchers(user_id))[-1].version


# ---------------------------------------------------------------- metrics


async def test_metrics_say_who_is_here_and_how_many_there_are(node: Node, other: Node) -> None:
    ann, bob = some_user(), some_user()
    await node.connect(caller(ann, "c1", "web"))
    await node.connect(caller(ann, "c2", "phone"))
    await other.connect(caller(bob, "c3"))
    lost = caller(bob, "c4", "phone")
    await other.connect(lost)
    await other.disconnect(lost)
    await sweep_all_parts(node)
    samples = {sample.name: sample.value for metric in METRICS.collect() for sample in metric.samples}
    of_presence = [samples[f"hub_presence_{name}"] for name in ("connections", "users", "online", "held")]
    assert of_presence == [2, 1, 2, 1]
    buried = samples["hub_presence_buried_total"]
    node.nodes.alive.remove(N2)
    await sweep_all_parts(node)
    samples = {sample.name: sample.value for metric in METRICS.collect() for sample in metric.samples}
    assert samples["hub_presence_buried_total"] == buried + 1


# ---------------------------------------------------------------- idle


def left_alone(node: Node, who: Caller, seconds: float) -> None:
    """Nobody has used a connection for so long."""
    node.signs.at_s[who.connection_id] = time.monotonic() - seconds
    for here in node.here:
        here.said_active_s = min(here.said_active_s, time.monotonic() - seconds)


def used(node: Node, who: Caller) -> None:
    node.signs.at_s[who.connection_id] = time.monotonic()


async def sweep_all_parts(node: Node) -> None:
    for _ in range(PARTS):
        await node.sweeper.sweep()


async def test_a_device_that_nobody_uses_is_away_until_somebody_does(node: Node) -> None:
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
    await node.sweeper.sweep()  # of whatever part: it shows at once
    assert node.told(watchers(ann.user_id)) == ["online", "away", "online"]
    await sweep_all_parts(node)
    assert len(node.told(watchers(ann.user_id))) == 3


async def test_with_away_switched_off_nobody_is(redis: Redis, clock: FrozenClock) -> None:
    node = Node(redis, N1, clock, PresenceSettings(coalesce_s=0, away_s=0))
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    left_alone(node, ann, 100_000)
    await sweep_all_parts(node)
    assert node.told(watchers(ann.user_id)) == ["online"]
    await node.tasks.close()


async def test_a_client_that_says_that_nobody_is_there_is_away_until_it_says_so_or_somebody_does_something(
    node: Node,
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
    await node.sweeper.sweep()
    assert told() == ["online", "away", "online", "away", "online"]
    with pytest.raises(InvalidPayload):
        await node.ask("presence:active", ann, {"active": "yes"})
    await node.disconnect(ann)
    with pytest.raises(Unavailable):
        await node.ask("presence:active", ann, {"active": True})


async def test_a_device_used_over_another_node_is_not_away(node: Node, other: Node) -> None:
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
    node: Node, other: Node
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
    await other.sweeper.sweep()
    assert other.told(watchers(ann.user_id)) == ["online"]


async def test_idle_connections_are_idle_again_when_redis_lost_its_memory(node: Node, redis: Redis) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    left_alone(node, ann, 600)
    await sweep_all_parts(node)
    await redis.flushall()
    await node.reconcile()
    assert await status(node, ann.user_id) == "away"


async def test_the_last_activity_of_a_device_in_use_is_renewed_now_and_then(node: Node, clock: FrozenClock) -> None:
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


# ---------------------------------------------------------------- who sees what


async def test_invisible_is_the_truth_to_oneself_and_offline_to_others(node: Node) -> None:
    ann, ben = caller(some_user(), "c1"), caller(some_user(), "c2")
    await node.connect(ann)
    assert (await node.ask("presence:update", ann, "invisible"))["status"] == "invisible"
    await node.ask("presence:update", ann, {"status": "invisible", "text": "working"})
    assert node.told(user_room(ann.user_id)) == ["online", "invisible", "invisible"]
    assert node.told(watchers(ann.user_id)) == ["online", "offline"]
    [mine] = (await node.ask("presence:get", ann, {"userIds": [ann.user_id]}))["users"]
    [theirs] = (await node.ask("presence:get", ben, {"userIds": [ann.user_id]}))["users"]
    assert (mine["status"], theirs["status"], theirs["devices"]) == ("invisible", "offline", [])
    assert "text" not in theirs


async def test_watching_gives_a_snapshot_and_joins_the_rooms_of_others(node: Node) -> None:
    ann, ben, stranger = caller(some_user(), "c1"), caller(some_user(), "c2"), some_user()
    await node.connect(ann)
    await node.connect(ben)
    asked = [ann.user_id, stranger, ben.user_id, ann.user_id]
    snapshot = await node.ask("presence:watch", ben, {"userIds": asked})
    assert [(user["userId"], user["status"]) for user in snapshot["users"]] == [
        (ann.user_id, "online"),
        (stranger, "offline"),
        (ben.user_id, "online"),
    ]
    assert node.rooms.is_member(ben.connection_id, watchers(ann.user_id))
    assert node.rooms.is_member(ben.connection_id, watchers(stranger))
    # One's own room of watchers would send the view of others, in versions of another count.
    assert not node.rooms.is_member(ben.connection_id, watchers(ben.user_id))
    assert await node.ask("presence:unwatch", ben, {"userIds": [ann.user_id]}) == {"users": []}
    assert not node.rooms.is_member(ben.connection_id, watchers(ann.user_id))


async def test_a_block_that_comes_while_somebody_begins_to_watch_puts_them_out_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ben = caller(some_user(), "c1"), caller(some_user(), "c2")
    await node.connect(ann)
    await node.connect(ben)
    join = node.rooms.join

    async def join_as_they_are_blocked(connection_id: ConnectionId, room: RoomName) -> int:
        node.sight.block(ann.user_id, ben.user_id)
        return await join(connection_id, room)

    monkeypatch.setattr(node.rooms, "join", join_as_they_are_blocked)
    shown = await node.ask("presence:watch", ann, {"userIds": [ben.user_id]})
    assert [user["status"] for user in shown["users"]] == ["offline"]
    assert not node.rooms.is_member(ann.connection_id, watchers(ben.user_id))


async def test_a_connection_watches_500_users_in_all(node: Node) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    first, second = ([some_user() for _ in range(250)] for _ in range(2))
    await node.ask("presence:watch", ann, {"userIds": first})
    await node.ask("presence:watch", ann, {"userIds": second})
    await node.ask("presence:watch", ann, {"userIds": second})
    one_more = some_user()
    with pytest.raises(InvalidPayload, match="500"):
        await node.ask("presence:watch", ann, {"userIds": [one_more]})
    assert not node.rooms.is_member(ann.connection_id, watchers(one_more))
    await node.ask("presence:unwatch", ann, {"userIds": first[:1]})
    await node.ask("presence:watch", ann, {"userIds": [one_more]})
    with pytest.raises(InvalidPayload, match="500"):
        await node.ask("presence:get", ann, {"userIds": [some_user() for _ in range(501)]})


async def test_somebody_blocked_sees_what_a_stranger_to_the_hub_would_be(node: Node) -> None:
    ann, ben, stranger = caller(some_user(), "c1"), caller(some_user(), "c2"), some_user()
    await node.connect(ann)
    await node.connect(ben)
    node.sight.block(ann.user_id, ben.user_id)
    for event in ("presence:watch", "presence:get"):
        hidden, unknown = (await node.ask(event, ben, {"userIds": [ann.user_id, stranger]}))["users"]
        assert hidden == unknown | {"userId": ann.user_id}
    assert not node.rooms.is_member(ben.connection_id, watchers(ann.user_id))


async def test_rest_reads_several_users_and_names_the_id_that_does_not_fit(node: Node) -> None:
    ann, stranger = caller(some_user(), "c1"), some_user()
    await node.connect(ann)
    [endpoint] = presence_api(node.watching).endpoints
    assert (endpoint.method, endpoint.path, endpoint.caller) == ("GET", "/presence", "required")
    read = endpoint.handler
    answer = await read(actor=ann, query=PresenceQuery(ids=f"{ann.user_id},{stranger}"))
    assert [user.status for user in answer.users] == ["online", "offline"]
    with pytest.raises(InvalidPayload) as refusal:
        await read(actor=ann, query=PresenceQuery(ids=f"{ann.user_id},ben"))
    assert [error["pointer"] for error in refusal.value.details["errors"]] == ["/ids/1"]
    with pytest.raises(InvalidPayload, match="500"):
        await read(actor=ann, query=PresenceQuery(ids=",".join(some_user() for _ in range(501))))


async def test_hooks_survive_without_redis_and_updates_say_unavailable(lonely: Node) -> None:
    ann = caller(some_user(), "c1")
    await lonely.connect(ann)
    with pytest.raises(Unavailable):
        await lonely.ask("presence:update", ann, "busy")
    await lonely.disconnect(ann)
    await lonely.disconnect(ann)
    await lonely.connect(ann)
    await lonely.service.close()


async def test_a_redis_that_lost_its_memory_learns_connections_status_and_text_again(
    node: Node, redis: Redis, clock: FrozenClock
) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    own = await node.ask("presence:update", ann, {"status": "busy", "text": "in a meeting"})
    await redis.flushall()
    clock.advance(1)
    await node.reconcile()
    [again] = (await node.watching.get(ann, Users(user_ids=[ann.user_id]))).users
    assert (again.status, again.text) == ("busy", "in a meeting")
    assert again.version > own["version"]


async def test_a_connection_that_only_redis_knows_is_held_and_expires(
    node: Node, redis: Redis, clock: FrozenClock, settings: PresenceSettings
) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    forgetful = Node(redis, N1, clock, settings)
    await forgetful.reconcile()
    assert await status(node, ann.user_id) == "online"
    clock.advance(5)
    await forgetful.sweeper.sweep()
    assert forgetful.told(watchers(ann.user_id)) == ["offline"]


async def test_an_update_that_arrives_after_the_disconnect_brings_nobody_back(node: Node, clock: FrozenClock) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    await node.disconnect(ann)
    with pytest.raises(Unavailable):
        await node.ask("presence:update", ann, "busy")
    clock.advance(5)
    await node.sweeper.sweep()
    await node.reconcile()
    assert await status(node, ann.user_id) == "offline"


async def test_a_drained_node_leaves_its_users_to_the_hold(node: Node, other: Node, clock: FrozenClock) -> None:
    stays, leaves = caller(some_user(), "c1"), caller(some_user(), "c2")
    await node.connect(stays)
    await node.connect(leaves)
    await node.service.close()
    other.nodes.alive.remove(N1)
    for _ in range(2):
        await other.sweeper.sweep()
    await other.connect(caller(stays.user_id, "c3"))
    late = caller(some_user(), "c4")
    await node.connect(late)
    await node.disconnect(leaves)
    await node.reconcile()
    assert await status(other, late.user_id) == "offline"
    clock.advance(14.9)
    await other.sweeper.sweep()
    assert other.told(watchers(leaves.user_id)) == []
    clock.advance(0.1)
    await other.sweeper.sweep()
    assert other.told(watchers(stays.user_id)) == []
    assert other.told(watchers(leaves.user_id)) == ["offline"]


async def test_the_sweeper_goes_on_after_an_outage_and_after_a_defect(
    node: Node, clock: FrozenClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    await node.disconnect(ann)
    node.nodes.away = True
    running = node.sweeper.start(node.tasks)
    await until(lambda: "Redis does not answer" in caplog.text)
    with monkeypatch.context() as patch:
        patch.setattr(node.service, "reconcile", None)
        node.nodes.away = False
        await until(lambda: "a sweep of presence failed" in caplog.text)
    clock.advance(5)
    await until(lambda: node.told(watchers(ann.user_id)) == ["online", "offline"])
    running.cancel()
    assert caplog.text.count("Redis does not answer") == 1


async def test_the_sweeper_ends_typing_even_without_redis(lonely: Node, clock: FrozenClock) -> None:
    ann, room = caller(some_user(), "c1"), RoomName("room:42")
    await lonely.rooms.join(ann.connection_id, room)
    await lonely.ask("typing:start", ann, {"room": room})
    clock.advance(6)
    with pytest.raises(Unavailable):
        await lonely.sweeper.sweep()
    assert [getattr(event, "typing", None) for event in lonely.rooms.events_to(room)] == [True, False]


@pytest.mark.parametrize("room", ["call:42", "presence:42", "session:42", "room:", "user:", "42"])
async def test_typing_is_for_rooms_content_documents_and_people(node: Node, room: str) -> None:
    with pytest.raises(InvalidPayload):
        await node.ask("typing:start", caller(some_user(), "c1"), {"room": room})

"""The service over a real Valkey, with rooms that remember what was sent."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator

import pytest
from msgspec import UNSET
from redis.asyncio import Redis

from hub.kernel.clock import from_ms
from hub.kernel.errors import InvalidPayload, Unavailable
from hub.kernel.ids import ConnectionId, NodeId, RoomName, user_room
from presence.metrics import METRICS
from presence.model import Change, Connection, Held
from presence.routes import presence_api
from presence.schema import PresenceQuery
from presence.settings import PresenceSettings
from tests.support.clock import FrozenClock
from tests.support.presence import caller, some_user
from tests.support.presence_node import N1, N2, PresenceNode, status, sweep_all_parts, watchers
from tests.support.wait import until


async def test_a_visit_is_told_as_online_and_after_the_hold_as_offline(node: PresenceNode, clock: FrozenClock) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    await node.disconnect(ann)
    clock.advance(4.9)
    await node.sweep()
    assert node.told(watchers(ann.user_id)) == node.told(user_room(ann.user_id)) == ["online"]
    clock.advance(0.1)
    await node.sweep()
    await node.sweep()
    assert node.told(watchers(ann.user_id)) == ["online", "offline"]
    assert node.told(user_room(ann.user_id)) == ["online"], "no device is left that could be told"


async def test_thousands_that_go_at_once_are_held_in_a_few_calls(
    node: PresenceNode, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [caller(some_user(), f"c{number}") for number in range(300)]
    for one in people:
        await node.connect(one)
    hold, sizes = node.store.hold, list[int]()

    async def counted(held: Iterable[Held]) -> None:
        gone = list(held)
        sizes.append(len(gone))
        await hold(gone)

    monkeypatch.setattr(node.store, "hold", counted)
    await asyncio.gather(*map(node.disconnect, people))
    assert (sum(sizes), len(sizes)) == (300, 2)  # the first, and all that went meanwhile
    clock.advance(5)
    await node.sweep()
    assert [await status(node, one.user_id) for one in people[:3]] == ["offline"] * 3


async def test_the_hold_counts_from_the_loss_however_long_the_disconnect_hook_waits(
    node: PresenceNode, clock: FrozenClock
) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    for lost in node.events.lost:
        lost(ann)
    clock.advance(4.9)  # behind the hooks of thousands
    await node.disconnect(ann)
    await node.sweep()
    assert node.told(watchers(ann.user_id)) == ["online"]
    clock.advance(0.1)
    await node.sweep()
    assert node.told(watchers(ann.user_id)) == ["online", "offline"]
    [user] = node.users_told(watchers(ann.user_id))[1:]
    assert user.last_seen == from_ms(clock.now_ms() - 5000)


async def test_who_is_lost_needs_no_disconnect_hook_to_be_held(node: PresenceNode, clock: FrozenClock) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    for lost in node.events.lost:
        lost(ann)
    await until(lambda: not node.tasks._tasks)
    clock.advance(5)
    await node.sweep()
    assert node.told(watchers(ann.user_id)) == ["online", "offline"]


async def test_a_connection_that_is_lost_while_it_comes_is_held_when_it_has_come(
    node: PresenceNode, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = caller(some_user(), "c1")
    connect = node.store.connect

    async def overtaken(connection: Connection, now_ms: int) -> Change:
        await node.disconnect(ann)  # and the store hears of that first
        return await connect(connection, now_ms)

    monkeypatch.setattr(node.store, "connect", overtaken)
    await node.connect(ann)
    clock.advance(5)
    await node.sweep()
    assert node.told(watchers(ann.user_id)) == ["online", "offline"]


async def test_a_second_device_gone_leaves_the_user_online(
    node: PresenceNode, other: PresenceNode, clock: FrozenClock
) -> None:
    ann = some_user()
    await node.connect(caller(ann, "c1", "web"))
    phone = caller(ann, "c2", "phone")
    await other.connect(phone)
    await other.disconnect(phone)
    clock.advance(5)
    await node.sweep()
    assert await status(other, ann) == "online"


async def test_a_dead_node_takes_its_users_offline_once_though_all_others_sweep(
    node: PresenceNode, other: PresenceNode, redis: Redis, clock: FrozenClock, settings: PresenceSettings
) -> None:
    ann = caller(some_user(), "c1")
    await other.connect(ann)
    node.nodes.alive.remove(N2)
    witness = PresenceNode(redis, NodeId("01NODE3"), clock, settings)
    witness.nodes.alive.remove(N2)
    for _ in range(3):
        await asyncio.gather(node.burials.bury(), witness.burials.bury())
    assert node.told(watchers(ann.user_id)) + witness.told(watchers(ann.user_id)) == ["offline"]


async def test_a_node_whose_lease_is_seen_late_keeps_its_users(
    node: PresenceNode, other: PresenceNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = caller(some_user(), "c1")
    await other.connect(ann)
    for first in ({N1}, {N1, N2}, {N1}):
        looks = iter([first, {N1, N2}])

        async def live(looks: Iterator[set[NodeId]] = looks) -> frozenset[NodeId]:
            return frozenset(next(looks))

        monkeypatch.setattr(node.nodes, "live", live)
        await node.burials.bury()
    assert await status(node, ann.user_id) == "online"


async def test_an_update_answers_the_own_presence_as_the_contract_has_it(node: PresenceNode) -> None:
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
        ({"status": "busy", "text": "lunch", "textExpiresAt": "2028-01-17T08:00:00Z"}, "/textExpiresAt"),
        ({"status": "busy", "text": "lunch", "textExpiresAt": "9999-12-31T23:59:59-12:00"}, "/textExpiresAt"),
        ({"status": "busy", "text": "lunch", "textExpiresAt": "0001-01-01T00:00:00+14:00"}, "/textExpiresAt"),
        ({"status": "busy", "text": "lunch", "textExpiresAt": "soon"}, "/textExpiresAt"),
        ({"status": "busy", "text": "", "textExpiresAt": "2027-01-15T09:00:00Z"}, "/textExpiresAt"),
        ({"status": "busy", "textExpiresAt": "2027-01-15T09:00:00Z"}, "/textExpiresAt"),
        (None, ""),
    ],
)
async def test_an_update_that_does_not_fit_is_refused_by_field(
    node: PresenceNode, payload: object, pointer: str
) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    with pytest.raises(InvalidPayload) as refusal:
        await node.ask("presence:update", ann, payload)
    assert [error["pointer"] for error in refusal.value.details["errors"]] == [pointer]


async def test_a_text_is_over_at_its_end_for_readers_devices_and_watchers(
    node: PresenceNode, clock: FrozenClock
) -> None:
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
    await node.sweep()
    await node.sweep()
    for room in (watchers(ann.user_id), user_room(ann.user_id)):
        assert [user.text for user in node.users_told(room)] == [UNSET, "lunch", UNSET]


async def test_metrics_say_who_is_here_and_how_many_there_are(node: PresenceNode, other: PresenceNode) -> None:
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
    await node.burials.bury()
    samples = {sample.name: sample.value for metric in METRICS.collect() for sample in metric.samples}
    assert samples["hub_presence_buried_total"] == buried + 1


async def test_invisible_is_the_truth_to_oneself_and_offline_to_others(node: PresenceNode) -> None:
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


async def test_watching_gives_a_snapshot_and_joins_the_rooms_of_others(node: PresenceNode) -> None:
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
    node: PresenceNode, monkeypatch: pytest.MonkeyPatch
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


async def test_a_connection_watches_500_users_in_all(node: PresenceNode) -> None:
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


async def test_somebody_blocked_sees_what_a_stranger_to_the_hub_would_be(node: PresenceNode) -> None:
    ann, ben, stranger = caller(some_user(), "c1"), caller(some_user(), "c2"), some_user()
    await node.connect(ann)
    await node.connect(ben)
    node.sight.block(ann.user_id, ben.user_id)
    for event in ("presence:watch", "presence:get"):
        hidden, unknown = (await node.ask(event, ben, {"userIds": [ann.user_id, stranger]}))["users"]
        assert hidden == unknown | {"userId": ann.user_id}
    assert not node.rooms.is_member(ben.connection_id, watchers(ann.user_id))


async def test_rest_reads_several_users_and_names_the_id_that_does_not_fit(node: PresenceNode) -> None:
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


async def test_hooks_survive_without_redis_and_updates_say_unavailable(lonely: PresenceNode) -> None:
    ann = caller(some_user(), "c1")
    await lonely.connect(ann)
    with pytest.raises(Unavailable):
        await lonely.ask("presence:update", ann, "busy")
    await lonely.disconnect(ann)
    await lonely.disconnect(ann)
    await lonely.connect(ann)
    await lonely.service.close()


async def test_a_drained_node_leaves_its_users_to_the_hold(
    node: PresenceNode, other: PresenceNode, clock: FrozenClock
) -> None:
    stays, leaves = caller(some_user(), "c1"), caller(some_user(), "c2")
    await node.connect(stays)
    await node.connect(leaves)
    await node.service.close()
    other.nodes.alive.remove(N1)
    await other.burials.bury()
    await other.connect(caller(stays.user_id, "c3"))
    late = caller(some_user(), "c4")
    await node.connect(late)
    await node.disconnect(leaves)
    await node.reconcile()
    assert await status(other, late.user_id) == "offline"
    clock.advance(14.9)
    await other.sweep()
    assert other.told(watchers(leaves.user_id)) == []
    clock.advance(0.1)
    await other.sweep()
    assert other.told(watchers(stays.user_id)) == []
    assert other.told(watchers(leaves.user_id)) == ["offline"]


async def test_the_sweeper_goes_on_after_an_outage_and_after_a_defect(
    node: PresenceNode, redis: Redis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    with monkeypatch.context() as patch:
        patch.setattr(node.service, "hold_missed", _away)
        running = node.sweeper.start(node.tasks)
        await until(lambda: "Redis does not answer" in caplog.text)
    with monkeypatch.context() as patch:
        patch.setattr(node.service, "reconcile", None)
        await until(lambda: "a sweep of presence failed" in caplog.text)
    await redis.flushall()
    await until(lambda: node.told(watchers(ann.user_id)) == ["online", "online"])
    running.cancel()
    assert caplog.text.count("Redis does not answer") == 1


async def test_holds_end_after_an_outage_and_after_a_defect(
    node: PresenceNode, clock: FrozenClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = caller(some_user(), "c1")
    await node.connect(ann)
    await node.disconnect(ann)
    clock.advance(5)
    with monkeypatch.context() as patch:
        patch.setattr(node.store, "expire", _no_store)
        running = node.holds.start(node.tasks)
        await until(lambda: "Redis does not answer" in caplog.text)
    with monkeypatch.context() as patch:
        patch.setattr(node.store, "expire", None)
        await until(lambda: "a sweep of holds failed" in caplog.text)
    await until(lambda: node.told(watchers(ann.user_id)) == ["online", "offline"])
    running.cancel()


async def test_burials_go_on_after_an_outage(node: PresenceNode, other: PresenceNode) -> None:
    ann = caller(some_user(), "c1")
    await other.connect(ann)
    node.nodes.away = True
    running = node.burials.start(node.tasks)
    with pytest.raises(Unavailable):
        await node.burials.bury()
    node.nodes.alive.remove(N2)
    node.nodes.away = False
    await until(lambda: node.told(watchers(ann.user_id)) == ["offline"])
    running.cancel()


async def _away() -> None:
    raise Unavailable


async def _no_store(_now_ms: int) -> AsyncIterator[Change]:
    raise Unavailable
    yield


async def test_the_sweeper_ends_typing_even_without_redis(lonely: PresenceNode, clock: FrozenClock) -> None:
    ann, room = caller(some_user(), "c1"), RoomName("room:42")
    await lonely.rooms.join(ann.connection_id, room)
    await lonely.ask("typing:start", ann, {"room": room})
    clock.advance(6)
    with pytest.raises(Unavailable):
        await lonely.sweep()
    assert [getattr(event, "typing", None) for event in lonely.rooms.events_to(room)] == [True, False]


@pytest.mark.parametrize("room", ["call:42", "presence:42", "session:42", "room:", "user:", "42"])
async def test_typing_is_for_rooms_content_documents_and_people(node: PresenceNode, room: str) -> None:
    with pytest.raises(InvalidPayload):
        await node.ask("typing:start", caller(some_user(), "c1"), {"room": room})

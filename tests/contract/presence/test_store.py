"""What presence.store.PresenceStore promises of connections and nodes, against a real Valkey."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from hub.kernel.errors import Unavailable
from hub.kernel.ids import NodeId
from presence.model import PARTS, Change, Held, Record, Status, Totals, part_of
from presence.store_redis import RedisPresenceStore
from tests.support.presence import some_user
from tests.support.presence_store import HOLD_MS, N1, N2, T0, all_of, connection, losses, said, shown


async def test_the_first_connection_is_a_transition_and_a_second_of_the_device_is_none(
    store: RedisPresenceStore,
) -> None:
    ann = some_user()
    first = await store.connect(connection(ann, "c1"), T0)
    assert (first.own, first.shown) == (True, True)
    view = first.record.shown()
    assert (view.status, view.version, view.last_seen_ms) == (Status.ONLINE, T0, T0)
    second = await store.connect(connection(ann, "c2"), T0 + 5)
    assert (second.own, second.shown) == (False, False)
    assert said(second.record) == said(first.record)


async def test_another_device_shows_and_does_not_touch_the_first(store: RedisPresenceStore) -> None:
    ann = some_user()
    await store.connect(connection(ann, "c1", "web"), T0)
    change = await store.connect(connection(ann, "c2", "phone"), T0 + 5)
    assert change.shown
    assert [(device.name, device.since_ms) for device in change.record.own().devices] == [
        ("phone", T0 + 5),
        ("web", T0),
    ]


async def test_connecting_twice_is_no_change(store: RedisPresenceStore) -> None:
    ann = some_user()
    first = await store.connect(connection(ann, "c1"), T0)
    again = await store.connect(connection(ann, "c1"), T0 + 1)
    assert (again.own, said(again.record)) == (False, said(first.record))


async def test_a_lost_connection_counts_until_its_hold_is_over(store: RedisPresenceStore) -> None:
    ann = some_user()
    one = connection(ann, "c1")
    await store.connect(one, T0)
    await store.hold(losses([one], T0 + 1000))
    await store.hold(losses([one], T0 + 3000))  # the first loss stands
    assert await all_of(store.expire(T0 + 5999)) == []
    assert (await shown(store, ann)).status is Status.ONLINE
    [change] = await all_of(store.expire(T0 + 6000))
    view = change.record.shown()
    assert (change.shown, view.status, view.devices) == (True, Status.OFFLINE, ())
    assert view.last_seen_ms == T0 + 1000
    assert view.version == T0 + 6000
    assert await all_of(store.expire(T0 + 6000)) == []


async def test_ten_reconnects_within_the_hold_are_no_transition_and_leave_one_connection(
    store: RedisPresenceStore, redis: Redis
) -> None:
    ann = some_user()
    first = await store.connect(connection(ann, "c0"), T0)
    for number in range(10):
        now_ms = T0 + 500 * number
        await store.hold(losses([connection(ann, f"c{number}")], now_ms))
        assert not (await store.connect(connection(ann, f"c{number + 1}"), now_ms + 100)).own
    assert await all_of(store.expire(T0 + 65_000)) == []
    [record] = await store.read([ann], T0)
    assert said(record) == said(first.record)
    assert [key async for key in redis.scan_iter("*:held")] == []


async def test_a_device_that_comes_back_within_the_hold_keeps_its_status(store: RedisPresenceStore) -> None:
    ann = some_user()
    busy = replace(connection(ann, "c1"), status=Status.BUSY, text="in a meeting")
    await store.update(busy, T0)
    await store.hold(losses([busy], T0 + 1))
    change = await store.connect(connection(ann, "c2"), T0 + 2)
    assert not change.own
    assert (change.record.own().status, change.record.text) == (Status.BUSY, "in a meeting")


async def test_the_status_belongs_to_the_device_and_not_to_the_tab(store: RedisPresenceStore) -> None:
    ann = some_user()
    tab, other_tab = connection(ann, "c1"), connection(ann, "c2")
    await store.connect(tab, T0)
    await store.connect(other_tab, T0)
    await store.update(replace(tab, status=Status.DND), T0 + 1)
    change = await store.update(replace(other_tab, status=Status.ONLINE), T0 + 2)
    assert change.record.own().status is Status.ONLINE


async def test_the_same_update_again_is_no_change(store: RedisPresenceStore) -> None:
    ann = some_user()
    away = replace(connection(ann, "c1"), status=Status.AWAY, text="lunch")
    first = await store.update(away, T0)
    again = await store.update(away, T0 + 1)
    assert (again.own, again.shown, again.entry, said(again.record)) == (False, False, None, said(first.record))


async def test_text_stays_until_it_is_replaced_or_emptied(store: RedisPresenceStore) -> None:
    ann = some_user()
    one = connection(ann, "c1")
    await store.update(replace(one, text="lunch"), T0)
    assert (await store.update(replace(one, status=Status.AWAY), T0 + 1)).record.text == "lunch"
    emptied = await store.update(replace(one, status=Status.AWAY, text=""), T0 + 2)
    assert (emptied.shown, emptied.record.text) == (True, "")


async def test_a_renamed_device_replaces_the_old_name_unless_another_tab_has_it(store: RedisPresenceStore) -> None:
    ann = some_user()
    tab, other_tab = connection(ann, "c1", "unknown"), connection(ann, "c2", "unknown")
    await store.connect(tab, T0)
    await store.connect(other_tab, T0)
    change = await store.update(replace(tab, device="my laptop"), T0)
    assert {device.name for device in change.record.devices} == {"unknown", "my laptop"}
    change = await store.update(replace(other_tab, device="my laptop"), T0)
    assert {device.name for device in change.record.devices} == {"my laptop"}


async def test_nothing_that_an_invisible_user_does_shows(store: RedisPresenceStore) -> None:
    ann = some_user()
    web, phone = connection(ann, "c1", "web"), connection(ann, "c2", "phone")
    await store.connect(web, T0)
    vanished = await store.update(replace(web, status=Status.INVISIBLE, text="psst"), T0 + 1)
    assert vanished.shown
    view = vanished.record.shown()
    assert (view.status, view.text, view.devices, view.last_seen_ms) == (Status.OFFLINE, None, (), T0 + 1)
    for change in (
        await store.connect(phone, T0 + 2),
        await store.update(replace(phone, status=Status.BUSY, text="hi"), T0 + 3),
    ):
        assert (change.own, change.shown) == (True, False)
        assert change.record.shown() == view
    await store.hold(losses([web], T0 + 4))
    [change] = await all_of(store.expire(T0 + 9000))
    assert (change.shown, change.record.own().status) == (False, Status.INVISIBLE)  # the phone takes it over
    await store.hold(losses([phone], T0 + 9001))
    [change] = await all_of(store.expire(T0 + 15_000))
    assert (change.shown, change.record.own().status, change.record.shown()) == (False, Status.OFFLINE, view)
    back = await store.connect(web, T0 + 20_000)
    assert (back.shown, back.record.shown().status, back.record.text) == (True, Status.ONLINE, "")


async def test_versions_never_fall_not_even_when_redis_lost_everything(store: RedisPresenceStore, redis: Redis) -> None:
    ann = some_user()
    one = connection(ann, "c1")
    before = await store.connect(one, T0)
    for number in range(5):  # faster than the clock
        before = await store.update(replace(one, status=[Status.AWAY, Status.ONLINE][number % 2]), T0)
    assert before.record.version == before.record.shown_version == T0 + 5
    await redis.flushall()
    after = await store.connect(one, T0 + 1000)
    assert after.record.version > before.record.version
    assert after.record.shown_version > before.record.shown_version


async def test_of_many_at_once_on_two_nodes_one_makes_the_user_online_and_one_offline(
    store: RedisPresenceStore, rival: RedisPresenceStore
) -> None:
    ann = some_user()
    tabs = [(store, connection(ann, f"s{n}", node_id=N1)) for n in range(8)]
    tabs += [(rival, connection(ann, f"r{n}", node_id=N2)) for n in range(8)]
    for period in range(20):
        now_ms = T0 + 10_000 * period
        came = await asyncio.gather(*(where.connect(tab, now_ms) for where, tab in tabs))
        assert sum(change.shown for change in came) == 1
        await asyncio.gather(*(where.hold(losses([tab], now_ms + 1)) for where, tab in tabs))
        swept = await asyncio.gather(*(all_of(one.expire(now_ms + 6000)) for one in (store, rival)))
        assert [change.record.shown().status for changes in swept for change in changes] == [Status.OFFLINE]


async def test_a_return_and_the_end_of_the_hold_at_once_leave_the_user_online(
    store: RedisPresenceStore, rival: RedisPresenceStore
) -> None:
    ann = some_user()
    now_ms = T0
    await store.connect(connection(ann, "c0"), now_ms)
    for number in range(30):
        now_ms += 10_000
        await store.hold(losses([connection(ann, f"c{number}")], now_ms))
        expired, back = await asyncio.gather(
            all_of(store.expire(now_ms + 5000)),
            rival.connect(connection(ann, f"c{number + 1}"), now_ms + 5000),
        )
        assert len(expired) == back.shown  # either nobody saw a thing, or offline and then online
        assert (await shown(store, ann)).status is Status.ONLINE


async def test_two_sweepers_bury_a_node_and_make_each_transition_once(
    store: RedisPresenceStore, rival: RedisPresenceStore
) -> None:
    users = [some_user() for _ in range(250)]
    for user_id in users:
        await store.connect(connection(user_id, f"c of {user_id}", node_id=N1), T0)
    buried = await asyncio.gather(all_of(store.bury(N1, T0 + 7000)), all_of(rival.bury(N1, T0 + 7000)))
    told = [change.record.user_id for changes in buried for change in changes]
    assert sorted(told) == sorted(users)
    assert {record.shown().status for record in await store.read(users, T0)} == {Status.OFFLINE}
    assert await store.nodes() == frozenset()


async def test_what_a_sweeper_leaves_at_its_death_the_next_one_does_and_the_stream_has_all_once(
    store: RedisPresenceStore, rival: RedisPresenceStore, redis: Redis
) -> None:
    users = [some_user() for _ in range(100)]
    for user_id in users:
        await store.connect(connection(user_id, f"c of {user_id}", node_id=N1), T0)
    async with aclosing(store.bury(N1, T0 + 7000)) as changes:  # type: ignore[type-var]  # an async generator
        told = [(await anext(changes)).record.user_id]
    told += [change.record.user_id for change in await all_of(rival.bury(N1, T0 + 7000))]
    assert len(told) == len(set(told))
    assert {record.shown().status for record in await store.read(users, T0)} == {Status.OFFLINE}
    entries: list[Any] = []
    for part in range(PARTS):
        entries += await redis.xrange(f"hub:presence:{{p{part}}}:transitions") or []
    offline = [fields[b"user"].decode() for _, fields in entries if fields[b"status"] == b"0"]
    assert sorted(offline) == sorted(users)


async def test_burying_a_node_leaves_those_alone_who_are_elsewhere_too(store: RedisPresenceStore) -> None:
    ann = some_user()
    await store.connect(connection(ann, "c1", node_id=N1), T0)
    await store.connect(connection(ann, "c2", node_id=N2), T0)
    assert await all_of(store.bury(N1, T0 + 1)) == []
    assert (await shown(store, ann)).status is Status.ONLINE
    assert await store.nodes() == {N2}


async def test_a_held_connection_of_a_dead_node_keeps_its_hold(store: RedisPresenceStore) -> None:
    ann = some_user()
    one = connection(ann, "c1")
    await store.connect(one, T0)
    await store.hold(losses([one], T0 + 1000))
    assert await all_of(store.bury(N1, T0 + 2000)) == []
    assert (await shown(store, ann)).status is Status.ONLINE
    assert len(await all_of(store.expire(T0 + 6000))) == 1


async def test_burying_a_node_leaves_a_connection_that_has_moved(store: RedisPresenceStore) -> None:
    ann = some_user()
    await store.connect(connection(ann, "c1", node_id=N1), T0)
    await store.connect(connection(ann, "c1", node_id=N2), T0 + 1)
    assert await all_of(store.bury(N1, T0 + 2)) == []
    assert (await shown(store, ann)).status is Status.ONLINE
    assert await store.nodes() == {N2}


async def test_a_connection_lost_anew_after_the_sweeper_read_it_has_its_full_hold(
    store: RedisPresenceStore, rival: RedisPresenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = connection(some_user(), "c1")
    await store.connect(one, T0)
    await store.hold(losses([one], T0))
    transitions = store._transitions

    async def late(*arguments: Any) -> AsyncIterator[Change]:
        await rival.connect(one, T0 + 5000)
        await rival.hold(losses([one], T0 + 5001))
        async for change in transitions(*arguments):
            yield change

    monkeypatch.setattr(store, "_transitions", late)
    assert await all_of(store.expire(T0 + 5001)) == []
    assert (await shown(rival, one.user_id)).status is Status.ONLINE
    assert len(await all_of(rival.expire(T0 + 10_001))) == 1


async def test_a_zombie_cannot_touch_a_connection_that_has_moved(store: RedisPresenceStore) -> None:
    ann = some_user()
    old, new = connection(ann, "c1", node_id=N1), connection(ann, "c1", node_id=N2)
    await store.connect(old, T0)
    await store.connect(new, T0 + 1)
    await store.hold(losses([old], T0 + 2))
    assert await all_of(store.expire(T0 + 60_000)) == []
    assert await all_of(store.bury(N1, T0 + 3)) == []
    assert (await shown(store, ann)).status is Status.ONLINE
    assert await store.nodes() == {N2}


async def test_what_a_zombie_writes_after_its_burial_is_buried_with_the_next(store: RedisPresenceStore) -> None:
    ann = some_user()
    one = connection(ann, "c1")
    await store.connect(one, T0)
    assert len(await all_of(store.bury(N1, T0 + 7000))) == 1
    await store.hold(losses([one], T0 + 7001))  # nothing left to hold
    assert await store.nodes() == frozenset()
    await store.update(replace(one, status=Status.BUSY), T0 + 7002)
    assert await store.nodes() == {N1}
    assert len(await all_of(store.bury(N1, T0 + 7500))) == 1
    assert (await shown(store, ann)).status is Status.OFFLINE
    assert await all_of(store.expire(T0 + 99_999)) == []


async def test_registered_names_the_live_connections_of_one_node_and_part(store: RedisPresenceStore) -> None:
    ann = some_user()
    live, held = connection(ann, "c 1"), connection(ann, "c2")
    await store.connect(live, T0)
    await store.connect(held, T0)
    await store.connect(connection(ann, "c3", node_id=N2), T0)
    await store.hold(losses([held], T0))
    assert await store.registered(N1, part_of(ann)) == {"c 1": ann}
    assert await store.registered(N1, (part_of(ann) + 1) % PARTS) == {}


async def test_read_keeps_the_order_and_knows_strangers_as_never_seen(store: RedisPresenceStore) -> None:
    ann, stranger = some_user(), some_user()
    await store.connect(connection(ann, "c1"), T0)
    first, second, third = await store.read([stranger, ann, stranger], T0)
    assert first == third == Record(stranger)
    assert second.user_id == ann
    assert await store.read([], T0) == []


async def test_an_online_user_takes_less_than_a_kilobyte_and_an_offline_one_is_forgotten_in_time(
    store: RedisPresenceStore, redis: Redis
) -> None:
    async def used() -> int:
        info = await redis.info("memory")
        return int(info["used_memory_dataset"])

    ulid = "01K9Z0000000000000000000"
    nodes = [NodeId(f"{ulid}N{number}") for number in range(4)]
    users = [some_user() for _ in range(2000)]
    for user_id in users[:1000]:  # fills the streams, whose size does not depend on the number of users
        await store.connect(connection(user_id, f"{ulid}{user_id[:8]}", node_id=nodes[0]), T0)
    before = await used()
    tabs = [connection(user_id, f"{ulid}{user_id[:8]}", "unknown", nodes[1]) for user_id in users[1000:]]
    for tab in tabs:
        await store.connect(tab, T0)
    assert (await used() - before) / len(tabs) < 1024
    key = f"hub:presence:{{p{part_of(tabs[0].user_id)}}}:state:{tabs[0].user_id}"
    assert await redis.ttl(key) == -1
    await all_of(store.bury(nodes[1], T0 + 1))
    assert 0 < await redis.ttl(key) <= 90 * 86_400
    await store.connect(tabs[0], T0 + 2)
    assert await redis.ttl(key) == -1


async def test_all_keys_of_a_user_share_one_hash_tag(store: RedisPresenceStore, redis: Redis) -> None:
    ann = some_user()
    one = connection(ann, "c1")
    await store.connect(one, T0)
    until = replace(connection(ann, "c2", "phone"), text="lunch", text_until_ms=T0 + 1)
    await store.update(until, T0)
    await store.hold(losses([one], T0))
    tag = f"hub:presence:{{p{part_of(ann)}}}:"
    keys = {key.decode() async for key in redis.scan_iter()}
    assert keys == {
        tag + name for name in ("held", "texts", "nodes", "transitions", "online", f"node:{N1}", f"state:{ann}")
    }


async def test_without_redis_every_method_says_unavailable() -> None:
    async with Redis.from_url("redis://127.0.0.1:1") as nowhere:
        store = RedisPresenceStore(nowhere)
        one = connection(some_user(), "c1")
        for call in (
            store.connect(one, T0),
            store.update(one, T0),
            store.hold(losses([one], T0)),
            store.read([one.user_id], T0),
            all_of(store.expire(T0)),
            all_of(store.notice([one], T0)),
            all_of(store.bury(N1, T0)),
            store.nodes(),
            store.totals(),
            store.registered(N1, 0),
        ):
            with pytest.raises(Unavailable):
                await call


async def test_each_connection_has_the_hold_that_its_node_gave_it(store: RedisPresenceStore) -> None:
    ann = some_user()
    lost, moving = connection(ann, "c1", "web"), connection(ann, "c2", "phone")
    await store.connect(lost, T0)
    await store.connect(moving, T0)
    await store.hold(losses([moving], T0, 3 * HOLD_MS))
    await store.hold(losses([lost], T0))
    await store.hold(losses([moving], T0 + 1))  # the first loss stands, with its hold
    [first] = await all_of(store.expire(T0 + HOLD_MS))
    assert [device.name for device in first.record.devices] == ["phone"]
    assert await all_of(store.expire(T0 + 3 * HOLD_MS - 1)) == []
    [second] = await all_of(store.expire(T0 + 3 * HOLD_MS))
    assert (second.record.shown().status, second.record.last_seen_ms) == (Status.OFFLINE, T0)


async def test_totals_count_who_is_there_on_any_node_and_what_is_held(
    store: RedisPresenceStore, rival: RedisPresenceStore
) -> None:
    users = [some_user() for _ in range(40)]
    for user_id in users:
        await store.connect(connection(user_id, f"1 {user_id}", "web"), T0)
        await rival.connect(connection(user_id, f"2 {user_id}", "phone", N2), T0)
    assert await store.totals() == Totals(online=40, held=0)
    await store.hold(losses([connection(user_id, f"1 {user_id}") for user_id in users[:30]], T0))
    assert await store.totals() == Totals(online=40, held=30)
    assert len(await all_of(rival.bury(N2, T0))) == 40
    assert len(await all_of(store.expire(T0 + HOLD_MS))) == 30
    assert await store.totals() == Totals(online=10, held=0)


async def test_a_server_that_forgot_its_scripts_is_given_them_again(store: RedisPresenceStore, redis: Redis) -> None:
    users = [some_user() for _ in range(3)]
    for user_id in users:
        await store.connect(connection(user_id, f"c of {user_id}"), T0)
    await redis.script_flush()
    assert len(await all_of(store.bury(N1, T0 + 7000))) == 3


async def test_an_error_of_a_script_is_an_outage_and_not_an_answer(store: RedisPresenceStore, redis: Redis) -> None:
    ann = some_user()
    one = connection(ann, "c1")
    await store.connect(one, T0)
    await redis.set(f"hub:presence:{{p{part_of(ann)}}}:state:{ann}", b"no state")
    with pytest.raises(Unavailable):
        await store.hold(losses([one], T0))


async def test_who_is_restored_is_held_unless_the_device_is_there_or_is_held_for_longer(
    store: RedisPresenceStore, rival: RedisPresenceStore
) -> None:
    gone, back, tabs = some_user(), some_user(), some_user()
    await store.connect(connection(back, "c2", node_id=N2), T0)
    held = [
        Held(connection(user_id, name), T0 - 1000, until_ms)
        for user_id, name, until_ms in [
            (gone, "c1", T0 + 4000),
            (back, "c1", T0 + 4000),
            (tabs, "c1", T0 + 3000),
            (tabs, "c2", T0 + 5000),
            (tabs, "c3", T0 + 2000),
        ]
    ]
    changes = await all_of(store.restore(held, T0))
    assert sorted(change.record.user_id for change in changes) == sorted([gone, tabs])
    assert await all_of(rival.restore(held, T0)) == []
    assert [(await shown(store, one)).status for one in (gone, back, tabs)] == [Status.ONLINE] * 3
    assert await store.nodes() == {N2}
    assert await store.totals() == Totals(online=3, held=2)
    assert [change.record.user_id for change in await all_of(store.expire(T0 + 4000))] == [gone]
    assert [change.record.user_id for change in await all_of(store.expire(T0 + 5000))] == [tabs]
    assert (await shown(store, back)).status is Status.ONLINE

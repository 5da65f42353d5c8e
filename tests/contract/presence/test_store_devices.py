"""What presence.store.PresenceStore promises of kinds of devices, idle ones, and texts that end; on a real Valkey."""

import asyncio
from dataclasses import replace

from redis.asyncio import Redis

from presence.model import Status
from presence.store_redis import RedisPresenceStore
from tests.support.presence import some_user
from tests.support.presence_store import HOLD_MS, N1, N2, T0, active, all_of, connection, idle, losses, shown


async def test_the_same_name_on_another_kind_of_device_is_another_device(store: RedisPresenceStore) -> None:
    ann = some_user()
    await store.connect(replace(connection(ann, "c1", "unknown"), kind="mobile"), T0)
    change = await store.connect(replace(connection(ann, "c2", "unknown"), kind="desktop"), T0 + 1)
    assert [(device.name, device.kind, device.since_ms) for device in change.record.own().devices] == [
        ("unknown", "desktop", T0 + 1),
        ("unknown", "mobile", T0),
    ]


# ---------------------------------------------------------------- idle


async def test_a_device_is_away_when_the_last_of_its_connections_is_idle_and_online_with_the_first_that_is_not(
    store: RedisPresenceStore, rival: RedisPresenceStore
) -> None:
    ann = some_user()
    one, two = connection(ann, "c1"), connection(ann, "c2", node_id=N2)
    await store.connect(one, T0)
    await rival.connect(two, T0)
    assert await all_of(store.notice([idle(one, T0 + 5)], T0 + 600)) == []
    [gone] = await all_of(rival.notice([idle(two, T0 + 9)], T0 + 700))
    [device] = gone.record.shown().devices
    assert (gone.shown, device.status, device.since_ms, device.active_ms) == (True, Status.AWAY, T0 + 700, T0 + 9)
    assert gone.record.shown().last_seen_ms == T0 + 9
    [back] = await all_of(store.notice([active(one, T0 + 800)], T0 + 801))
    [device] = back.record.shown().devices
    assert (back.shown, device.status, device.since_ms, device.active_ms) == (True, Status.ONLINE, T0 + 801, T0 + 800)


async def test_idleness_shows_of_nobody_who_said_busy(store: RedisPresenceStore) -> None:
    ann = some_user()
    busy = replace(connection(ann, "c1"), status=Status.BUSY)
    before = await store.update(busy, T0)
    assert await all_of(store.notice([idle(busy, T0 + 5)], T0 + 600)) == []
    assert (await shown(store, ann)).version == before.record.version
    assert await all_of(store.notice([active(busy, T0 + 700)], T0 + 700)) == []
    online = await store.update(replace(busy, status=Status.ONLINE), T0 + 701)
    assert online.record.shown().status is Status.ONLINE


async def test_an_update_and_a_new_connection_are_no_idleness_but_a_return_to_an_idle_device_wakes_nobody(
    store: RedisPresenceStore,
) -> None:
    ann = some_user()
    one = connection(ann, "c1")
    await store.connect(one, T0)
    [_] = await all_of(store.notice([idle(one, T0 + 5)], T0 + 600))
    await store.hold(losses([one], T0 + 601))
    returned = await store.connect(connection(ann, "c2"), T0 + 602)
    [device] = returned.record.devices
    assert (returned.own, device.idle, device.active_ms) == (False, True, T0 + 5)
    woken = await store.update(connection(ann, "c2"), T0 + 603)
    assert (woken.shown, woken.record.shown().status) == (True, Status.ONLINE)


async def test_a_device_that_loses_its_only_connection_in_use_is_away(store: RedisPresenceStore) -> None:
    ann = some_user()
    left, used = connection(ann, "c1"), connection(ann, "c2")
    await store.connect(left, T0)
    await store.connect(used, T0)
    assert await all_of(store.notice([idle(left, T0)], T0 + 600)) == []
    await store.hold(losses([used], T0 + 700))
    [change] = await all_of(store.expire(T0 + 700 + HOLD_MS))
    assert change.record.shown().status is Status.AWAY


async def test_only_the_node_of_a_connection_says_whether_it_is_idle(store: RedisPresenceStore) -> None:
    ann = some_user()
    await store.connect(connection(ann, "c1", node_id=N2), T0)
    zombie, unknown = connection(ann, "c1", node_id=N1), connection(ann, "c9", node_id=N2)
    assert await all_of(store.notice([idle(zombie, T0), idle(unknown, T0)], T0 + 600)) == []
    assert (await shown(store, ann)).status is Status.ONLINE


async def test_the_last_activity_is_renewed_without_a_new_version(store: RedisPresenceStore) -> None:
    ann = some_user()
    one = connection(ann, "c1")
    first = await store.connect(one, T0)
    assert await all_of(store.notice([active(one, T0 + 300)], T0 + 301)) == []
    view = await shown(store, ann)
    assert (view.devices[0].active_ms, view.version) == (T0 + 300, first.record.shown_version)


# ---------------------------------------------------------------- text with an end


async def test_a_text_is_over_at_its_end_for_every_reader_and_then_by_a_transition_of_its_own(
    store: RedisPresenceStore, rival: RedisPresenceStore
) -> None:
    ann = some_user()
    await store.update(replace(connection(ann, "c1"), text="lunch", text_until_ms=T0 + 100), T0)
    [before] = await store.read([ann], T0 + 99)
    assert (before.shown().text, before.shown().text_until_ms) == ("lunch", T0 + 100)
    [at] = await store.read([ann], T0 + 100)
    assert (at.shown().text, at.shown().text_until_ms) == (None, None)
    assert await all_of(store.expire(T0 + 99)) == []
    swept = await asyncio.gather(all_of(store.expire(T0 + 100)), all_of(rival.expire(T0 + 100)))
    [change] = [change for changes in swept for change in changes]
    assert (change.shown, change.record.text, change.record.version) == (True, "", T0 + 100)
    assert change.record.shown().last_seen_ms == T0  # nobody was there for that


async def test_a_text_that_was_replaced_keeps_no_end_of_the_old_one(store: RedisPresenceStore) -> None:
    ann = some_user()
    one = connection(ann, "c1")
    await store.update(replace(one, text="lunch", text_until_ms=T0 + 100), T0)
    await store.update(replace(one, text="at work"), T0 + 1)
    assert await all_of(store.expire(T0 + 200)) == []
    await store.update(replace(one, text="lunch", text_until_ms=T0 + 300), T0 + 201)
    longer = await store.update(replace(one, text="lunch", text_until_ms=T0 + 400), T0 + 202)
    assert longer.shown
    assert await all_of(store.expire(T0 + 300)) == []
    assert len(await all_of(store.expire(T0 + 400))) == 1


async def test_a_text_that_is_over_and_not_taken_away_yet_goes_with_the_next_change(store: RedisPresenceStore) -> None:
    ann = some_user()
    one = connection(ann, "c1")
    await store.update(replace(one, text="lunch", text_until_ms=T0 + 100), T0)
    change = await store.update(replace(one, status=Status.BUSY), T0 + 101)
    assert change.record.shown().text is None
    assert await all_of(store.expire(T0 + 200)) == []


async def test_the_end_of_an_invisible_users_text_shows_to_nobody_else(store: RedisPresenceStore) -> None:
    ann = some_user()
    hidden = replace(connection(ann, "c1"), status=Status.INVISIBLE, text="psst", text_until_ms=T0 + 100)
    before = (await store.update(hidden, T0)).record.shown()
    [change] = await all_of(store.expire(T0 + 100))
    assert (change.own, change.shown, change.record.shown()) == (True, False, before)


async def test_a_user_who_leaves_takes_the_text_along_with_its_end(store: RedisPresenceStore, redis: Redis) -> None:
    ann = some_user()
    one = replace(connection(ann, "c1"), text="lunch", text_until_ms=T0 + 100_000)
    await store.update(one, T0)
    await store.hold(losses([one], T0))
    [change] = await all_of(store.expire(T0 + HOLD_MS))
    assert (change.record.text, change.record.text_until_ms) == ("", 0)
    assert [key async for key in redis.scan_iter("*:texts")] == []

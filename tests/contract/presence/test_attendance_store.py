"""What presence.attendance.store.AttendanceStore promises, against a real Valkey."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from hub.kernel.errors import Unavailable
from hub.kernel.ids import ConnectionId, NodeId, RoomName, UserId
from presence.attendance.model import PARTS, Move, Outcome, Seat, part_of
from presence.attendance.store_redis import BATCH, TRANSITIONS, RedisAttendanceStore
from presence.transitions_redis import RedisTransitions

T0 = 1_800_000_000_000
HOLD_MS = 5000
LARGE = 3
N1, N2 = NodeId("01NODE1"), NodeId("01NODE2")
ROOM, OTHER = RoomName("room:one"), RoomName("doc:two words")


def seat(user: str, connection: str, room: RoomName = ROOM) -> Seat:
    return Seat(room, UserId(user), ConnectionId(connection))


ADA, ADA_TOO, BOB = seat("ada", "a1"), seat("ada", "a2"), seat("bob", "b1")


@pytest.fixture
def store(redis: Redis) -> RedisAttendanceStore:
    return RedisAttendanceStore(redis, large=LARGE)


@pytest.fixture
async def rival(redis_url: str) -> AsyncIterator[RedisAttendanceStore]:
    """The store of another node: a client of its own."""
    async with Redis.from_url(redis_url) as client:
        yield RedisAttendanceStore(client, large=LARGE)


async def all_of(moves: AsyncIterator[Move]) -> list[Move]:
    return [move async for move in moves]


def moves(outcomes: list[Outcome]) -> list[tuple[str, bool]]:
    """Who came or went, by what several calls answered."""
    return [(one.move.seat.user_id, one.move.joined) for one in outcomes if one.move is not None]


async def people(store: RedisAttendanceStore, room: RoomName = ROOM) -> list[str]:
    """Those in a room, in the order in which they came."""
    window = await store.window(room, 0, 100)
    assert window.people == len(window.shown)
    return [person.user_id for person in window.shown]


async def test_only_the_first_and_the_last_connection_of_a_person_are_a_move(store: RedisAttendanceStore) -> None:
    assert moves(await store.arrive(N1, [ADA], T0)) == [("ada", True)]
    assert moves(await store.arrive(N2, [ADA_TOO], T0)) == []
    assert moves(await store.arrive(N1, [BOB], T0)) == [("bob", True)]
    assert await people(store) == ["ada", "bob"]
    assert moves(await store.leave(N1, [ADA], T0)) == []
    assert moves(await store.leave(N2, [ADA_TOO], T0)) == [("ada", False)]
    assert await people(store) == ["bob"]


async def test_repeats_are_no_move_and_count_once(store: RedisAttendanceStore) -> None:
    await store.arrive(N1, [ADA], T0)
    [again] = await store.arrive(N1, [ADA], T0)
    assert (again.move, again.connections) == (None, {N1: 1})
    await store.leave(N1, [ADA], T0)
    [again] = await store.leave(N1, [ADA], T0)
    assert (again.move, again.connections) == (None, {})


async def test_connections_are_counted_by_node(store: RedisAttendanceStore) -> None:
    await store.arrive(N1, [ADA, BOB], T0)
    [outcome] = await store.arrive(N2, [ADA_TOO], T0)
    assert outcome.connections == await store.connections(ROOM) == {N1: 2, N2: 1}
    [outcome] = await store.leave(N1, [BOB], T0)
    assert outcome.connections == {N1: 1, N2: 1}
    assert await store.connections(OTHER) == {}


async def test_versions_rise_with_every_move_also_within_a_millisecond_and_in_an_empty_room(
    store: RedisAttendanceStore,
) -> None:
    versions = []
    for one in (ADA, BOB):
        versions += [outcome.move for outcome in await store.arrive(N1, [one], T0)]
    for one in (ADA, BOB):
        versions += [outcome.move for outcome in await store.leave(N1, [one], T0)]
    versions += [outcome.move for outcome in await store.arrive(N1, [ADA], T0 - 1000)]  # a clock that is behind
    assert [move and move.version for move in versions] == [T0, T0 + 1, T0 + 2, T0 + 3, T0 + 4]


async def test_a_lost_connection_is_no_connection_and_its_person_there_until_the_hold_is_over(
    store: RedisAttendanceStore, rival: RedisAttendanceStore
) -> None:
    await store.arrive(N1, [ADA, BOB], T0)
    await store.hold(N1, [ADA], T0 + HOLD_MS, T0)
    await store.hold(N1, [ADA], T0 + 9999, T0)  # the first loss stands
    assert await store.connections(ROOM) == {N1: 1}
    assert await all_of(store.expire(T0 + HOLD_MS - 1)) == []
    assert await people(store) == ["ada", "bob"]
    both = await asyncio.gather(all_of(store.expire(T0 + HOLD_MS)), all_of(rival.expire(T0 + HOLD_MS)))
    [move] = [move for some in both for move in some]
    assert (move.seat, move.joined) == (ADA, False)
    assert await people(store) == ["bob"]


async def test_ten_reconnects_within_the_hold_are_no_move_and_leave_one_connection(
    store: RedisAttendanceStore, redis: Redis
) -> None:
    await store.arrive(N1, [seat("ada", "c0")], T0)
    for number in range(10):
        now_ms, node, other = T0 + 500 * number, *((N1, N2) if number % 2 == 0 else (N2, N1))
        await store.hold(node, [seat("ada", f"c{number}")], now_ms + HOLD_MS, now_ms)
        assert moves(await store.arrive(other, [seat("ada", f"c{number + 1}")], now_ms + 100)) == []
    assert await all_of(store.expire(T0 + 60_000)) == []
    assert await store.connections(ROOM) == {N1: 1}
    assert [key async for key in redis.scan_iter("*:lost")] == []


async def test_a_lost_connection_that_is_back_by_itself_counts_again(store: RedisAttendanceStore) -> None:
    await store.arrive(N1, [ADA], T0)
    await store.hold(N1, [ADA], T0 + HOLD_MS, T0)
    assert moves(await store.arrive(N1, [ADA], T0 + 1)) == []
    assert await store.connections(ROOM) == {N1: 1}
    assert await all_of(store.expire(T0 + HOLD_MS)) == []
    assert moves(await store.leave(N1, [ADA], T0 + HOLD_MS)) == [("ada", False)]


async def test_leaving_is_a_move_at_once_also_out_of_the_hold(store: RedisAttendanceStore) -> None:
    await store.arrive(N1, [ADA], T0)
    await store.hold(N1, [ADA], T0 + HOLD_MS, T0)
    assert moves(await store.leave(N1, [ADA], T0 + 1)) == [("ada", False)]
    assert await all_of(store.expire(T0 + HOLD_MS)) == []


async def test_a_dead_node_is_buried_once_whoever_is_there(
    store: RedisAttendanceStore, rival: RedisAttendanceStore
) -> None:
    many = [seat(f"u{number}", f"c{number}") for number in range(2 * BATCH + 1)]
    elsewhere = [seat("ada", "c", RoomName(f"room:{number}")) for number in range(2 * PARTS)]
    await store.arrive(N1, [*many, *elsewhere], T0)
    await store.arrive(N2, [seat("u0", "d0")], T0)
    assert await store.nodes() == {N1, N2}
    buried = await asyncio.gather(all_of(store.bury(N1, T0 + 1)), all_of(rival.bury(N1, T0 + 1)))
    gone = sorted((move.seat.room, move.seat.user_id) for some in buried for move in some)
    assert gone == sorted((one.room, one.user_id) for one in [*many, *elsewhere] if one.user_id != "u0")
    assert await store.nodes() == {N2}
    assert await people(store) == ["u0"]
    assert await store.connections(ROOM) == {N2: 1}


async def test_what_a_node_had_lost_keeps_its_time_when_it_dies(store: RedisAttendanceStore) -> None:
    await store.arrive(N1, [ADA, BOB], T0)
    await store.hold(N1, [ADA], T0 + HOLD_MS, T0)
    assert [move.seat for move in await all_of(store.bury(N1, T0 + 1))] == [BOB]
    assert [move.seat for move in await all_of(store.expire(T0 + HOLD_MS))] == [ADA]


async def test_a_zombie_can_give_up_nothing_that_was_buried_or_is_elsewhere(store: RedisAttendanceStore) -> None:
    await store.arrive(N1, [ADA], T0)
    await all_of(store.bury(N1, T0))
    await store.hold(N1, [ADA], T0 + HOLD_MS, T0)
    assert await all_of(store.expire(T0 + HOLD_MS)) == []
    await store.arrive(N2, [ADA_TOO], T0)
    assert moves(await store.leave(N1, [ADA], T0)) == []
    assert await store.connections(ROOM) == {N2: 1}


async def test_what_a_node_has_registered_is_found_by_part(store: RedisAttendanceStore) -> None:
    two = seat("bob", "b1", OTHER)
    await store.arrive(N1, [ADA, two], T0)
    await store.arrive(N2, [ADA_TOO], T0)
    for part in range(PARTS):
        there = {one for one in (ADA, two) if part_of(one.room) == part}
        assert await store.registered(N1, part) == there
    await store.hold(N1, [ADA], T0, T0)
    assert await store.registered(N1, part_of(ROOM)) == frozenset()


async def test_who_is_registered_quietly_is_there_and_nobody_is_to_be_told(
    store: RedisAttendanceStore, redis: Redis
) -> None:
    [outcome] = await store.arrive(N1, [ADA], T0, quietly=True)
    assert outcome.move is None
    assert await people(store) == ["ada"]
    assert await RedisTransitions(redis, TRANSITIONS).overdue(-1) == []


async def test_every_move_is_kept_until_it_is_removed(store: RedisAttendanceStore, redis: Redis) -> None:
    transitions = RedisTransitions(redis, TRANSITIONS)
    [joined] = await store.arrive(N1, [ADA], T0)
    [left] = await store.leave(N1, [ADA], T0)
    assert joined.move
    assert left.move
    kept = await transitions.overdue(-1)
    assert [one.entry for one in kept] == [joined.move.entry, left.move.entry]
    ours = {"room": ROOM, "user": "ada", "connection": "a1"}
    assert [one.fields for one in kept] == [
        {**ours, "joined": "1", "version": str(T0)},
        {**ours, "joined": "0", "version": str(T0 + 1)},
    ]


async def test_people_are_shown_in_windows_by_arrival(store: RedisAttendanceStore) -> None:
    await store.arrive(N1, [seat(name, name) for name in "hgfedcba"], T0)
    first = await store.window(ROOM, 0, 3)
    assert (first.people, first.version) == (8, T0 + 7)
    assert [person.user_id for person in first.shown] == ["h", "g", "f"]
    await store.leave(N1, [seat("g", "g"), seat("e", "e")], T0)  # neither skips anybody
    second = await store.window(ROOM, first.shown[-1].arrival, 3)
    assert [person.user_id for person in second.shown] == ["d", "c", "b"]
    assert [person.user_id for person in (await store.window(ROOM, second.shown[-1].arrival, 3)).shown] == ["a"]
    nobody = await store.window(OTHER, 0, 3)
    assert (nobody.people, nobody.version, nobody.shown) == (0, 0, ())


async def test_arrivals_are_known_of_those_who_are_there(store: RedisAttendanceStore) -> None:
    await store.arrive(N1, [ADA, seat("ada", "a1", OTHER)], T0)
    await store.arrive(N1, [BOB], T0)
    await store.leave(N1, [ADA], T0)
    asked = [(ROOM, UserId("ada")), (OTHER, UserId("ada")), (ROOM, UserId("bob"))]
    assert await store.arrivals(asked) == {(OTHER, "ada"): T0, (ROOM, "bob"): T0 + 1}
    assert await store.arrivals([]) == {}


async def test_in_a_large_room_the_count_is_due_and_no_move_is_kept(store: RedisAttendanceStore, redis: Redis) -> None:
    few = [seat(f"u{number}", f"c{number}") for number in range(LARGE)]
    await store.arrive(N1, few, T0)
    assert await store.due(T0) == []
    [many] = await store.arrive(N1, [ADA], T0)
    assert many.move
    assert many.move.entry is None
    [count] = await store.due(T0)
    assert (count.room, count.people, count.version) == (ROOM, LARGE + 1, many.move.version)
    [back] = await store.leave(N1, [ADA], T0)
    assert back.move
    assert back.move.entry is not None, "a room that is large no more tells one by one"
    kept = [one.fields for one in await RedisTransitions(redis, TRANSITIONS).overdue(-1)]
    assert [fields.get("user") for fields in kept] == ["u0", "u1", "u2", None, "ada"]


async def test_a_connection_that_comes_back_to_a_large_room_has_its_count_told_again(
    store: RedisAttendanceStore,
) -> None:
    await store.arrive(N1, [seat(f"u{number}", f"c{number}") for number in range(LARGE + 1)], T0)
    assert len(await store.due(T0)) == 1
    await store.hold(N1, [seat("u0", "c0")], T0 + HOLD_MS, T0)
    assert await store.due(T0 + 2000) == []
    await store.arrive(N2, [seat("u0", "d0")], T0 + 2000)
    [count] = await store.due(T0 + 2000)
    assert count.people == LARGE + 1
    await store.arrive(N2, [seat("u0", "d0")], T0 + 4000)
    assert await store.due(T0 + 4000) == [], "it has been there all the time"


async def test_the_count_of_a_room_is_due_once_a_second_for_one_caller(
    store: RedisAttendanceStore, rival: RedisAttendanceStore
) -> None:
    crowd = [seat(f"u{number}", f"c{number}") for number in range(LARGE + 1)]
    await store.arrive(N1, crowd, T0)
    both = await asyncio.gather(store.due(T0), rival.due(T0))
    assert sorted(len(counts) for counts in both) == [0, 1]
    await store.arrive(N1, [ADA], T0 + 1)
    await store.arrive(N1, [BOB], T0 + 999)
    assert await store.due(T0 + 999) == []
    [count] = await store.due(T0 + 1000)
    assert count.people == LARGE + 3
    assert await store.due(T0 + 5000) == []


async def test_nothing_stays_of_a_room_that_all_have_left_but_its_version_for_an_hour(
    store: RedisAttendanceStore, redis: Redis
) -> None:
    await store.arrive(N1, [ADA, BOB], T0)
    await store.leave(N1, [ADA], T0)
    await store.hold(N1, [BOB], T0, T0)
    [move] = await all_of(store.expire(T0))
    assert move.entry
    for outcome in await RedisTransitions(redis, TRANSITIONS).overdue(-1):
        await RedisTransitions(redis, TRANSITIONS).remove([outcome.entry])
    keys = {key async for key in redis.scan_iter("*")}
    streams = {key for key in keys if key.endswith(b":transitions")}
    [room] = keys - streams
    assert await redis.hgetall(room) == {b"version": str(T0 + 3).encode()}
    assert 3500 < await redis.ttl(room) <= 3600
    await store.arrive(N1, [ADA], T0)
    assert await redis.ttl(room) == -1


async def test_without_redis_it_is_unavailable() -> None:
    async with Redis.from_url("redis://127.0.0.1:1") as nowhere:
        store = RedisAttendanceStore(nowhere, large=LARGE)
        calls = (store.arrive(N1, [ADA], T0), store.hold(N1, [ADA], T0, T0), store.nodes(), store.window(ROOM, 0, 1))
        for call in calls:
            with pytest.raises(Unavailable):
                await call

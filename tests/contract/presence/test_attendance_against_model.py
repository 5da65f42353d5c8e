"""Random histories of a room, in Valkey and in a few lines of Python: they must agree at every step."""

import uuid
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from hub.kernel.ids import ConnectionId, NodeId, RoomName, UserId
from presence.attendance.model import Move, Outcome, Seat
from presence.attendance.store_redis import RedisAttendanceStore

T0 = 1_800_000_000_000
HOLD_MS = 5000
LARGE = 2
NODES = [NodeId("01NODE1"), NodeId("01NODE2")]

steps = st.tuples(
    st.sampled_from(["arrive", "arrive", "leave", "hold", "expire", "bury"]),
    st.sampled_from(["ada", "bob", "eve"]),
    st.sampled_from([0, 1]),
    st.sampled_from(["phone", "laptop"]),
)


@dataclass
class Expected:
    """Who ought to be in the room. A connection is a user, a node and a device."""

    live: set[tuple[str, int, str]] = field(default_factory=set)
    held: dict[tuple[str, int, str], int] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def people(self) -> set[str]:
        return {one[0] for one in (*self.live, *self.held)}

    def arrive(self, one: tuple[str, int, str]) -> None:
        self.held = {other: until for other, until in self.held.items() if other[0] != one[0]}
        self.live.add(one)

    def hold(self, one: tuple[str, int, str], until_ms: int) -> None:
        if one in self.live:
            self.live.remove(one)
            self.held[one] = until_ms

    def moved(self) -> list[tuple[str, bool]]:
        """Who came or went since the last time."""
        people, before = self.people(), set(self.order)
        self.order = [one for one in self.order if one in people] + sorted(people - before)
        return [(one, False) for one in sorted(before - people)] + [(one, True) for one in sorted(people - before)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(steps, max_size=30))
async def test_any_history_gives_the_expected_people_counts_and_moves(
    redis_url: str, history: list[tuple[str, str, int, str]]
) -> None:
    room, now_ms, version = RoomName(f"room:{uuid.uuid4()}"), T0, 0
    expected, crowded = Expected(), False
    async with Redis.from_url(redis_url) as client:
        store = RedisAttendanceStore(client, large=LARGE)
        for action, user, node, device in history:
            now_ms += 1000
            who = user, node, device
            seat = Seat(room, UserId(user), ConnectionId(f"{device}@{node}"))
            outcomes: list[Outcome] = []
            moves: list[Move] = []
            if action == "arrive":
                is_new = who not in expected.live
                expected.arrive(who)
                crowded |= is_new and len(expected.people()) > LARGE
                outcomes = await store.arrive(NODES[node], [seat], now_ms)
            elif action == "leave":
                expected.live.discard(who)
                expected.held.pop(who, None)
                outcomes = await store.leave(NODES[node], [seat], now_ms)
            elif action == "hold":
                expected.hold(who, now_ms + HOLD_MS)
                await store.hold(NODES[node], [seat], now_ms + HOLD_MS, now_ms)
            elif action == "expire":
                expected.held = {one: until for one, until in expected.held.items() if until > now_ms}
                moves = [move async for move in store.expire(now_ms)]
            else:
                expected.live = {one for one in expected.live if one[1] != node}
                moves = [move async for move in store.bury(NODES[node], now_ms)]
            moves += [outcome.move for outcome in outcomes if outcome.move is not None]
            assert sorted((move.seat.user_id, move.joined) for move in moves) == sorted(expected.moved())
            numbers = {NODES[one]: sum(other[1] == one for other in expected.live) for one in (0, 1)}
            connections = {one: number for one, number in numbers.items() if number}
            assert await store.connections(room) == connections
            assert all(outcome.connections == connections for outcome in outcomes)
            window = await store.window(room, 0, 100)
            assert [person.user_id for person in window.shown] == expected.order
            for move in moves:
                assert move.version > version
                version = move.version
                crowded |= move.entry is None
            assert (await store.due(now_ms) != []) == crowded
            crowded = False
        for node_id in NODES:
            _ = [move async for move in store.bury(node_id, now_ms)]
        _ = [move async for move in store.expire(now_ms + HOLD_MS)]
        assert (await store.window(room, 0, 1)).people == 0

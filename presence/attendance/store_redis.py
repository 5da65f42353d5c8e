"""The attendance store in Redis: one Lua function per change, all keys of a room's part under one hash tag."""

import time
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from hub.kernel.ids import ConnectionId, NodeId, RoomName, UserId
from presence.attendance.model import PARTS, Count, Move, Outcome, Person, Seat, Window, part_of
from presence.redis_calls import answer, called, pipelined
from presence.transitions import EntryId

LUA = Path(__file__).with_name("lua")
BATCH: Final = 50
"""Lua calls in one pipeline: spares round trips, and keeps what a killed sweeper had not told anybody small."""
TRANSITIONS: Final = [f"hub:attendance:{{p{part}}}:transitions" for part in range(PARTS)]
"""The stream of each part, see presence.transitions_redis."""


class RedisAttendanceStore:
    """Implements presence.attendance.store.AttendanceStore. lua/room.lua describes the keys and the fields.

    A connection that is in a room takes about 0.4 KB. A call costs as much in a room of a hundred thousand as in one of
    ten; nothing here reads a whole room.
    """

    def __init__(self, redis: Redis, *, large: int) -> None:
        """``large``: people beyond which a room's moves are not told one by one."""
        self._redis = redis
        self._large = large
        shared = (LUA / "room.lua").read_text()

        def function(name: str) -> AsyncScript:
            return redis.register_script(shared + (LUA / f"{name}.lua").read_text())

        self._arrive = function("arrive")
        self._leave = function("leave")
        self._hold = function("hold")
        self._expire = function("expire")
        self._bury = function("bury")
        self._count = function("count")

    async def arrive(
        self, node_id: NodeId, seats: Sequence[Seat], now_ms: int, *, quietly: bool = False
    ) -> list[Outcome]:
        """See AttendanceStore."""
        return await self._change(self._arrive, node_id, seats, now_ms, int(quietly), joined=True)

    async def leave(self, node_id: NodeId, seats: Sequence[Seat], now_ms: int) -> list[Outcome]:
        """See AttendanceStore."""
        return await self._change(self._leave, node_id, seats, now_ms, joined=False)

    async def _change(
        self, script: AsyncScript, node_id: NodeId, seats: Sequence[Seat], now_ms: int, *more: Any, joined: bool
    ) -> list[Outcome]:
        outcomes = []
        for start in range(0, len(seats), BATCH):
            batch = seats[start : start + BATCH]
            asked_s = time.monotonic()
            calls = [(_keys(seat.room, node_id), self._arguments(now_ms, seat, node_id, *more)) for seat in batch]
            for seat, (entry, version, *numbers) in zip(batch, await called(self._redis, script, calls), strict=True):
                move = _move(seat, [entry, version], asked_s, joined=joined) if version else None
                outcomes.append(Outcome(move, _by_node(numbers)))
        return outcomes

    async def hold(self, node_id: NodeId, seats: Iterable[Seat], until_ms: int, now_ms: int) -> None:
        """See AttendanceStore."""
        lost = list(seats)
        for start in range(0, len(lost), BATCH):
            batch = lost[start : start + BATCH]
            calls = [(_keys(seat.room, node_id), self._arguments(now_ms, seat, node_id, until_ms)) for seat in batch]
            await called(self._redis, self._hold, calls)

    async def expire(self, now_ms: int) -> AsyncIterator[Move]:
        """See AttendanceStore."""
        commands = [
            ("ZRANGE", _part_key(part, "lost"), "-inf", now_ms, "BYSCORE", "LIMIT", 0, BATCH) for part in range(PARTS)
        ]
        while any(due := await pipelined(self._redis, commands)):
            for members in filter(None, due):
                seats = list(map(_seat, members))
                calls = [(_keys(seat.room), self._arguments(now_ms, seat)) for seat in seats]
                async for move in self._moves(self._expire, seats, calls):
                    yield move

    async def bury(self, node_id: NodeId, now_ms: int) -> AsyncIterator[Move]:
        """See AttendanceStore."""
        for part in range(PARTS):
            # At random, so that two sweepers at the same grave do not both go through it from the same end.
            command = ("SRANDMEMBER", _node_key(part, node_id), BATCH)
            while members := (await pipelined(self._redis, [command]))[0]:
                seats = list(map(_seat, members))
                calls = [(_keys(seat.room, node_id), self._arguments(now_ms, seat, node_id)) for seat in seats]
                async for move in self._moves(self._bury, seats, calls):
                    yield move

    async def _moves(
        self, script: AsyncScript, seats: Sequence[Seat], calls: Sequence[tuple[list[str], list[Any]]]
    ) -> AsyncIterator[Move]:
        asked_s = time.monotonic()
        for seat, reply in zip(seats, await called(self._redis, script, calls), strict=True):
            if reply is not None:
                yield _move(seat, reply, asked_s, joined=False)

    async def due(self, now_ms: int) -> list[Count]:
        """See AttendanceStore."""
        commands = [
            ("ZRANGE", _part_key(part, "counts"), "-inf", now_ms, "BYSCORE", "LIMIT", 0, BATCH) for part in range(PARTS)
        ]
        parts = await pipelined(self._redis, commands)
        rooms = [RoomName(room.decode()) for some in parts for room in some]
        if not rooms:
            return []
        replies = await called(self._redis, self._count, [(_keys(room), [now_ms, room, self._large]) for room in rooms])
        return [
            Count(room, reply[0], int(reply[1]), EntryId(part_of(room), reply[2].decode()))
            for room, reply in zip(rooms, replies, strict=True)
            if reply is not None
        ]

    async def nodes(self) -> frozenset[NodeId]:
        """See AttendanceStore."""
        parts = await pipelined(self._redis, [("SMEMBERS", _part_key(part, "nodes")) for part in range(PARTS)])
        return frozenset(NodeId(node.decode()) for nodes in parts for node in nodes)

    async def registered(self, node_id: NodeId, part: int) -> frozenset[Seat]:
        """See AttendanceStore."""
        [members] = await pipelined(self._redis, [("SMEMBERS", _node_key(part, node_id))])
        return frozenset(map(_seat, members))

    async def connections(self, room: RoomName) -> dict[NodeId, int]:
        """See AttendanceStore."""
        [fields] = await pipelined(self._redis, [("HGETALL", _room_key(room, "room"))])
        return {NodeId(name[2:].decode()): int(number) for name, number in fields.items() if name.startswith(b"n:")}

    async def window(self, room: RoomName, after: int, limit: int) -> Window:
        """See AttendanceStore."""
        order = _room_key(room, "order")
        pipe = self._redis.pipeline(transaction=False)
        pipe.execute_command("ZCARD", order)
        pipe.execute_command("HGET", _room_key(room, "room"), "version")
        above = ("ZRANGE", order, f"({after}", "+inf", "BYSCORE", "LIMIT", 0, limit, "WITHSCORES")
        pipe.execute_command(*above, withscores=True)
        people, version, found = await answer(pipe.execute())
        shown = tuple([Person(UserId(user.decode()), int(arrival)) for user, arrival in found])
        return Window(people, int(version or 0), shown)

    async def arrivals(self, people: Collection[tuple[RoomName, UserId]]) -> dict[tuple[RoomName, UserId], int]:
        """See AttendanceStore."""
        if not people:
            return {}
        commands = [("ZSCORE", _room_key(room, "order"), user_id) for room, user_id in people]
        scores = await pipelined(self._redis, commands)
        return {one: int(float(score)) for one, score in zip(people, scores, strict=True) if score is not None}

    def _arguments(self, now_ms: int, seat: Seat, node_id: str = "", *more: Any) -> list[Any]:
        """ARGV of lua/room.lua."""
        return [now_ms, seat.room, self._large, seat.user_id, seat.connection_id, node_id, *more]


def _part_key(part: int, name: str) -> str:
    return f"hub:attendance:{{p{part}}}:{name}"


def _room_key(room: RoomName, name: str) -> str:
    return _part_key(part_of(room), f"{name}:{room}")


def _node_key(part: int, node_id: NodeId) -> str:
    return _part_key(part, f"node:{node_id}")


def _keys(room: RoomName, node_id: NodeId | None = None) -> list[str]:
    """KEYS of lua/room.lua; the last two only where a node is concerned."""
    part = part_of(room)
    keys = [_room_key(room, name) for name in ("people", "order", "room")]
    keys += [_part_key(part, "lost"), TRANSITIONS[part], _part_key(part, "counts")]
    return keys if node_id is None else [*keys, _part_key(part, "nodes"), _node_key(part, node_id)]


def _seat(member: bytes) -> Seat:
    user_id, connection_id, room = member.decode().split(" ", 2)
    return Seat(RoomName(room), UserId(user_id), ConnectionId(connection_id))


def _move(seat: Seat, reply: Sequence[bytes], asked_s: float, *, joined: bool) -> Move:
    entry, version = reply
    kept = EntryId(part_of(seat.room), entry.decode()) if entry else None
    return Move(seat, joined, int(version), kept, asked_s)


def _by_node(flat: Sequence[bytes]) -> dict[NodeId, int]:
    return {NodeId(node.decode()): int(number) for node, number in zip(flat[::2], flat[1::2], strict=True)}

"""The presence store in Redis: one Lua function per change, all keys of a user's part under one hash tag."""

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from msgspec import msgpack
from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from hub.kernel.ids import ConnectionId, NodeId, UserId
from presence.model import PARTS, Change, Connection, Record, Totals, part_of
from presence.redis_calls import answer, called, pipelined
from presence.transitions import EntryId

PACKED_RECORD = msgpack.Decoder(Record)
PACKED_CHANGE = msgpack.Decoder(tuple[bool, bool, str, Record])

LUA = Path(__file__).with_name("lua")
BATCH = 200
"""Lua calls in one pipeline: spares round trips, of which a busy machine makes few a second."""

Call = tuple[UserId, list[str], list[Any]]
"""A user, and the keys and arguments of a function that changes them."""


class RedisPresenceStore:
    """Implements presence.store.PresenceStore. lua/user.lua describes the keys and the state.

    A user who is online on one device takes about 0.4 KB. Every change of a version is in the stream of its part until
    somebody has told of it, see presence.relay.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        shared = (LUA / "user.lua").read_text()

        def function(name: str) -> AsyncScript:
            return redis.register_script(shared + (LUA / f"{name}.lua").read_text())

        self._connect = function("connect")
        self._update = function("update")
        self._notice = function("notice")
        self._hold = function("hold")
        self._expire = function("expire")
        self._end_text = function("end_text")
        self._bury = function("bury")

    async def connect(self, connection: Connection, now_ms: int) -> Change:
        """See PresenceStore."""
        one = connection
        idle = "" if one.idle is None else int(one.idle)
        what = [one.device, one.kind, int(one.status), one.text or "", one.text_until_ms, idle, one.active_ms or now_ms]
        return await self._change(self._connect, one, now_ms, what)

    async def update(self, connection: Connection, now_ms: int) -> Change:
        """See PresenceStore."""
        one = connection
        text = (0, "", 0) if one.text is None else (1, one.text, one.text_until_ms)
        return await self._change(self._update, one, now_ms, [one.device, one.kind, int(one.status), *text])

    async def _change(self, function: AsyncScript, one: Connection, now_ms: int, what: list[Any]) -> Change:
        asked_s = time.monotonic()
        reply = await answer(function(keys=_keys(one.user_id, one.node_id), args=[*_who(one, now_ms), *what]))
        return _change(one.user_id, reply, asked_s)

    async def notice(self, connections: Iterable[Connection], now_ms: int) -> AsyncIterator[Change]:
        """See PresenceStore."""
        calls: list[Call] = [
            (one.user_id, _keys(one.user_id, one.node_id), [*_who(one, now_ms), int(bool(one.idle)), one.active_ms])
            for one in connections
        ]
        async for change in self._transitions(self._notice, calls):
            yield change

    async def hold(self, connections: Iterable[Connection], now_ms: int, hold_ms: int) -> None:
        """See PresenceStore."""
        held = sorted(connections, key=lambda connection: part_of(connection.user_id))
        for _, group in groupby(held, key=lambda connection: part_of(connection.user_id)):
            calls = [(_keys(one.user_id, one.node_id), [*_who(one, now_ms), now_ms + hold_ms]) for one in group]
            for start in range(0, len(calls), BATCH):
                await self._call(self._hold, calls[start : start + BATCH])

    async def read(self, user_ids: Sequence[UserId], now_ms: int) -> list[Record]:
        """See PresenceStore."""
        by_part: dict[int, list[UserId]] = {}
        for user_id in dict.fromkeys(user_ids):
            by_part.setdefault(part_of(user_id), []).append(user_id)
        # One command a part: it takes a fifth of the time that a command for each user would.
        commands = [("MGET", *(STATE_KEYS[part] + user_id for user_id in users)) for part, users in by_part.items()]
        replies = await self._pipeline(commands) if commands else []
        records = {
            user_id: Record(user_id) if state is None else PACKED_RECORD.decode(state).at(now_ms)
            for users, states in zip(by_part.values(), replies, strict=True)
            for user_id, state in zip(users, states, strict=True)
        }
        return [records[user_id] for user_id in user_ids]

    async def expire(self, now_ms: int) -> AsyncIterator[Change]:
        """See PresenceStore."""
        due = [
            ("ZRANGE", _part_key(part, name), "-inf", now_ms, "BYSCORE", "LIMIT", 0, BATCH)
            for name in ("held", "texts")
            for part in range(PARTS)
        ]
        while any(members := await self._pipeline(due)):
            for held in filter(None, members[:PARTS]):
                lost = map(_user_and_connection, held)
                calls = [(user_id, _keys(user_id), [now_ms, user_id, id_, ""]) for user_id, id_ in lost]
                async for change in self._transitions(self._expire, calls):
                    yield change
            for users in filter(None, members[PARTS:]):
                ended = [UserId(user.decode()) for user in users]
                calls = [(user_id, _keys(user_id), [now_ms, user_id, "", ""]) for user_id in ended]
                async for change in self._transitions(self._end_text, calls):
                    yield change

    async def bury(self, node_id: NodeId, now_ms: int) -> AsyncIterator[Change]:
        """See PresenceStore."""
        for part in range(PARTS):
            # At random, so that two sweepers at the same grave do not both go through it from the same end.
            while members := (await self._pipeline([("SRANDMEMBER", _node_key(part, node_id), BATCH)]))[0]:
                buried = map(_user_and_connection, members)
                calls = [(user_id, _keys(user_id, node_id), [now_ms, user_id, id_, node_id]) for user_id, id_ in buried]
                async for change in self._transitions(self._bury, calls):
                    yield change

    async def nodes(self) -> frozenset[NodeId]:
        """See PresenceStore."""
        parts = await self._pipeline([("SMEMBERS", _part_key(part, "nodes")) for part in range(PARTS)])
        return frozenset(NodeId(node.decode()) for nodes in parts for node in nodes)

    async def registered(self, node_id: NodeId, part: int) -> dict[ConnectionId, UserId]:
        """See PresenceStore."""
        [members] = await self._pipeline([("SMEMBERS", _node_key(part, node_id))])
        return {connection_id: user_id for user_id, connection_id in map(_user_and_connection, members)}

    async def totals(self) -> Totals:
        """See PresenceStore."""
        online = [("GET", _part_key(part, "online")) for part in range(PARTS)]
        held = [("ZCARD", _part_key(part, "held")) for part in range(PARTS)]
        counts = [int(count or 0) for count in await self._pipeline([*online, *held])]
        return Totals(online=sum(counts[:PARTS]), held=sum(counts[PARTS:]))

    async def _transitions(self, function: AsyncScript, calls: Sequence[Call]) -> AsyncIterator[Change]:
        """The transitions that these calls made."""
        for start in range(0, len(calls), BATCH):
            batch = calls[start : start + BATCH]
            asked_s = time.monotonic()
            replies = await self._call(function, [(keys, arguments) for _, keys, arguments in batch])
            for (user_id, _, _), reply in zip(batch, replies, strict=True):
                if reply is not None and (change := _change(user_id, reply, asked_s)).own:
                    yield change

    async def _pipeline(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        return await pipelined(self._redis, commands)

    async def _call(self, script: AsyncScript, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        return await called(self._redis, script, calls)


def _part_key(part: int, name: str) -> str:
    return f"hub:presence:{{p{part}}}:{name}"


TRANSITIONS = [_part_key(part, "transitions") for part in range(PARTS)]
"""The stream of each part, see presence.transitions_redis."""
STATE_KEYS = [_part_key(part, "state:") for part in range(PARTS)]
"""What the keys of a part's users begin with."""
HISTORY = [_part_key(part, "history") for part in range(PARTS)]
"""The same for those that were told, see presence.history_redis."""


def _node_key(part: int, node_id: NodeId) -> str:
    return _part_key(part, f"node:{node_id}")


def _keys(user_id: UserId, node_id: NodeId | None = None) -> list[str]:
    """KEYS of lua/user.lua; the last two only where a node is concerned."""
    part = part_of(user_id)
    keys = [STATE_KEYS[part] + user_id, *(_part_key(part, name) for name in ("held", "texts", "transitions", "online"))]
    return keys if node_id is None else [*keys, _part_key(part, "nodes"), _node_key(part, node_id)]


def _who(connection: Connection, now_ms: int) -> list[Any]:
    """The first of ARGV of lua/user.lua."""
    return [now_ms, connection.user_id, connection.connection_id, connection.node_id]


def _user_and_connection(member: bytes) -> tuple[UserId, ConnectionId]:
    user_id, _, connection_id = member.decode().partition(" ")
    return UserId(user_id), ConnectionId(connection_id)


def _change(user_id: UserId, reply: bytes, asked_s: float) -> Change:
    own, shown, entry, record = PACKED_CHANGE.decode(reply)
    at = EntryId(part_of(user_id), entry) if entry else None
    return Change(record, own, shown, at, asked_s)

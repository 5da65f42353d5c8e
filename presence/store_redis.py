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
from presence.model import PARTS, Change, Connection, Device, Record, Status, part_of
from presence.redis_calls import answer, called, pipelined
from presence.transitions import EntryId

PACKED_HASHES = msgpack.Decoder(list[list[str]])
PACKED_CHANGE = msgpack.Decoder(tuple[bool, bool, list[str], str])

LUA = Path(__file__).with_name("lua")
BATCH = 50
"""Lua calls in one pipeline: spares round trips, and keeps what a killed sweeper had not told anybody small."""


class RedisPresenceStore:
    """Implements presence.store.PresenceStore. lua/user.lua describes the keys and the fields.

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
        self._hold = function("hold")
        self._expire = function("expire")
        self._bury = function("bury")
        self._read = redis.register_script((LUA / "read.lua").read_text())

    async def connect(self, connection: Connection, now_ms: int) -> Change:
        """See PresenceStore."""
        arguments = [*_who(connection, now_ms), connection.device, int(connection.status), connection.text or ""]
        asked_s = time.monotonic()
        reply = await answer(self._connect(keys=_keys(connection.user_id, connection.node_id), args=arguments))
        return _change(connection.user_id, reply, asked_s)

    async def update(self, connection: Connection, now_ms: int) -> Change:
        """See PresenceStore."""
        text = (0, "") if connection.text is None else (1, connection.text)
        arguments = [*_who(connection, now_ms), connection.device, int(connection.status), *text]
        asked_s = time.monotonic()
        reply = await answer(self._update(keys=_keys(connection.user_id, connection.node_id), args=arguments))
        return _change(connection.user_id, reply, asked_s)

    async def hold(self, connections: Iterable[Connection], now_ms: int) -> None:
        """See PresenceStore."""
        held = sorted(connections, key=lambda connection: part_of(connection.user_id))
        for _, group in groupby(held, key=lambda connection: part_of(connection.user_id)):
            calls = [(_keys(one.user_id, one.node_id), _who(one, now_ms)) for one in group]
            for start in range(0, len(calls), BATCH):
                await self._call(self._hold, calls[start : start + BATCH])

    async def read(self, user_ids: Sequence[UserId]) -> list[Record]:
        """See PresenceStore."""
        if not user_ids:
            return []
        by_part = sorted(set(user_ids), key=part_of)
        parts = [list(group) for _, group in groupby(by_part, key=part_of)]
        replies = await self._call(self._read, [([_user_key(user_id) for user_id in part], []) for part in parts])
        records = {
            user_id: _record(user_id, flat)
            for part, reply in zip(parts, replies, strict=True)
            for user_id, flat in zip(part, PACKED_HASHES.decode(reply), strict=True)
        }
        return [records[user_id] for user_id in user_ids]

    async def expire(self, lost_until_ms: int, now_ms: int) -> AsyncIterator[Change]:
        """See PresenceStore."""
        commands = [
            ("ZRANGE", _part_key(part, "lost"), "-inf", lost_until_ms, "BYSCORE", "LIMIT", 0, BATCH)
            for part in range(PARTS)
        ]
        while any(due := await self._pipeline(commands)):
            for members in filter(None, due):
                lost = [_user_and_connection(member) for member in members]
                calls = [
                    (_keys(user_id), [now_ms, user_id, connection_id, "", lost_until_ms])
                    for user_id, connection_id in lost
                ]
                asked_s = time.monotonic()
                for (user_id, _), reply in zip(lost, await self._call(self._expire, calls), strict=True):
                    if (change := _transition(user_id, reply, asked_s)) is not None:
                        yield change

    async def bury(self, node_id: NodeId, now_ms: int) -> AsyncIterator[Change]:
        """See PresenceStore."""
        for part in range(PARTS):
            # At random, so that two sweepers at the same grave do not both go through it from the same end.
            while members := (await self._pipeline([("SRANDMEMBER", _node_key(part, node_id), BATCH)]))[0]:
                buried = [_user_and_connection(member) for member in members]
                calls = [
                    (_keys(user_id, node_id), [now_ms, user_id, connection_id, node_id])
                    for user_id, connection_id in buried
                ]
                asked_s = time.monotonic()
                for (user_id, _), reply in zip(buried, await self._call(self._bury, calls), strict=True):
                    if (change := _transition(user_id, reply, asked_s)) is not None:
                        yield change

    async def nodes(self) -> frozenset[NodeId]:
        """See PresenceStore."""
        parts = await self._pipeline([("SMEMBERS", _part_key(part, "nodes")) for part in range(PARTS)])
        return frozenset(NodeId(node.decode()) for nodes in parts for node in nodes)

    async def registered(self, node_id: NodeId, part: int) -> dict[ConnectionId, UserId]:
        """See PresenceStore."""
        [members] = await self._pipeline([("SMEMBERS", _node_key(part, node_id))])
        return {connection_id: user_id for user_id, connection_id in map(_user_and_connection, members)}

    async def _pipeline(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        return await pipelined(self._redis, commands)

    async def _call(self, script: AsyncScript, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        return await called(self._redis, script, calls)


TRANSITIONS = [f"hub:presence:{{p{part}}}:transitions" for part in range(PARTS)]
"""The stream of each part, see presence.transitions_redis."""
HISTORY = [f"hub:presence:{{p{part}}}:history" for part in range(PARTS)]
"""The same for those that were told, see presence.history_redis."""


def _part_key(part: int, name: str) -> str:
    return f"hub:presence:{{p{part}}}:{name}"


def _user_key(user_id: UserId) -> str:
    return _part_key(part_of(user_id), f"user:{user_id}")


def _node_key(part: int, node_id: NodeId) -> str:
    return _part_key(part, f"node:{node_id}")


def _keys(user_id: UserId, node_id: NodeId | None = None) -> list[str]:
    """KEYS of lua/user.lua; the last two only where a node is concerned."""
    part = part_of(user_id)
    keys = [_user_key(user_id), _part_key(part, "lost"), TRANSITIONS[part]]
    return keys if node_id is None else [*keys, _part_key(part, "nodes"), _node_key(part, node_id)]


def _who(connection: Connection, now_ms: int) -> list[Any]:
    """The first of ARGV of lua/user.lua."""
    return [now_ms, connection.user_id, connection.connection_id, connection.node_id]


def _user_and_connection(member: bytes) -> tuple[UserId, ConnectionId]:
    user_id, _, connection_id = member.decode().partition(" ")
    return UserId(user_id), ConnectionId(connection_id)


def _transition(user_id: UserId, reply: bytes | None, asked_s: float) -> Change | None:
    """The change, if this call made one that anybody can see."""
    change = None if reply is None else _change(user_id, reply, asked_s)
    return change if change is not None and change.own else None


def _change(user_id: UserId, reply: bytes, asked_s: float) -> Change:
    own, shown, flat, entry = PACKED_CHANGE.decode(reply)
    at = EntryId(part_of(user_id), entry) if entry else None
    return Change(_record(user_id, flat), own, shown, at, asked_s)


def _record(user_id: UserId, flat: list[str]) -> Record:
    """``flat``: names and values of the user's hash in turn, as Redis gives it to Lua."""
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    if not fields:
        return Record(user_id)
    shown_seen = fields.get("shown_seen")
    return Record(
        user_id=user_id,
        devices=tuple([_device(name, value) for name, value in fields.items() if name[:2] == "d:"]),
        text=fields.get("text"),
        version=int(fields["version"]),
        last_seen_ms=int(fields["seen"]),
        shown_version=int(fields.get("shown_version", 0)),
        shown_last_seen_ms=None if shown_seen is None else int(shown_seen),
    )


def _device(name: str, value: str) -> Device:
    status, _, since_ms = value.partition(" ")
    return Device(name[2:], Status(int(status)), int(since_ms))

"""The presence store in Redis: one Lua function per change, all keys of a user's part under one hash tag."""

import random
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import Any

from msgspec import msgpack
from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from hub.kernel.ids import ConnectionId, NodeId, UserId
from presence.memory_redis import is_whole
from presence.model import PARTS, Change, Connection, Held, Record, Totals, part_of
from presence.redis_calls import answer, called, pipelined
from presence.transitions import EntryId

PACKED_RECORD = msgpack.Decoder(Record)
PACKED_CHANGE = msgpack.Decoder(tuple[bool, bool, str, Record])

LUA = Path(__file__).with_name("lua")
AT_ONCE = 50
"""Connections that one Lua call changes, in 1 to 2 ms of Redis, which serves nobody else meanwhile."""
CALLS = 8
"""In one round trip, of which a busy machine makes few a second."""
BATCH = AT_ONCE * CALLS
"""Connections that are looked for at once."""

Words = Sequence[Any]
"""What lua/user.lua is told of one connection: its user, its id, and what each function says."""


class RedisPresenceStore:
    """Implements presence.store.PresenceStore. lua/user.lua describes the keys and the state.

    A user who is online on one device takes about 0.4 KB. Every change of a version is in the stream of its part until
    somebody has told of it, see presence.relay.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        before, behind = ((LUA / f"{name}.lua").read_text() for name in ("user", "each"))

        def function(name: str) -> AsyncScript:
            return redis.register_script(before + (LUA / f"{name}.lua").read_text() + behind)

        self._connect = function("connect")
        self._update = function("update")
        self._notice = function("notice")
        self._hold = function("hold")
        self._restore = function("restore")
        self._expire = function("expire")
        self._end_text = function("end_text")
        self._bury = function("bury")

    async def connect(self, connection: Connection, now_ms: int) -> Change:
        """See PresenceStore."""
        return await self._change(self._connect, connection, now_ms, _registration(connection, now_ms))

    async def update(self, connection: Connection, now_ms: int) -> Change:
        """See PresenceStore."""
        one = connection
        text = (0, "", 0) if one.text is None else (1, one.text, one.text_until_ms)
        return await self._change(self._update, one, now_ms, [one.device, one.kind, int(one.status), *text])

    async def _change(self, function: AsyncScript, one: Connection, now_ms: int, says: Words) -> Change:
        asked_s = time.monotonic()
        keys, arguments = _call(part_of(one.user_id), one.node_id, now_ms, [(one.user_id, one.connection_id, *says)])
        [reply] = await answer(function(keys=keys, args=arguments))
        return _change(one.user_id, reply, asked_s)

    async def notice(self, connections: Iterable[Connection], now_ms: int) -> AsyncIterator[Change]:
        """See PresenceStore."""
        said = [(one, (int(bool(one.idle)), one.active_ms)) for one in connections]
        async for change in self._each(self._notice, said, now_ms):
            yield change

    async def hold(self, held: Iterable[Held]) -> None:
        """See PresenceStore."""
        said = [(one.connection, (one.lost_ms, one.until_ms)) for one in held]
        async for _ in self._each(self._hold, said, NEVER_MS):
            pass

    async def restore(self, held: Iterable[Held], now_ms: int) -> AsyncIterator[Change]:
        """See PresenceStore."""
        said = [(one.connection, (*_registration(one.connection, now_ms), one.lost_ms, one.until_ms)) for one in held]
        async for change in self._each(self._restore, said, now_ms):
            yield change

    async def _each(
        self, function: AsyncScript, connections: Iterable[tuple[Connection, Words]], now_ms: int
    ) -> AsyncIterator[Change]:
        """The transitions of a function that is called for each of these connections, with what it says of it."""

        def place(said: tuple[Connection, Words]) -> tuple[int, NodeId]:
            return part_of(said[0].user_id), said[0].node_id

        groups = [
            (part, node_id, [(one.user_id, one.connection_id, *says) for one, says in group])
            for (part, node_id), group in groupby(sorted(connections, key=place), key=place)
        ]
        async for change in self._transitions(function, now_ms, groups):
            yield change

    async def read(self, user_ids: Sequence[UserId], now_ms: int) -> list[Record]:
        """See PresenceStore."""
        records, _ = await self.look(user_ids, now_ms)
        return records

    async def look(self, user_ids: Sequence[UserId], now_ms: int) -> tuple[list[Record], bool]:
        """See PresenceStore."""
        by_part: dict[int, list[UserId]] = {}
        for user_id in dict.fromkeys(user_ids):
            by_part.setdefault(part_of(user_id), []).append(user_id)
        # One command a part: it takes a fifth of the time that a command for each user would.
        commands = [
            ("MGET", MEMORIES[part][0], *(STATE_KEYS[part] + user_id for user_id in users))
            for part, users in by_part.items()
        ]
        replies = await self._pipeline(commands) if commands else []
        records = {
            user_id: Record(user_id) if state is None else PACKED_RECORD.decode(state).at(now_ms)
            for users, (_, *states) in zip(by_part.values(), replies, strict=True)
            for user_id, state in zip(users, states, strict=True)
        }
        return [records[user_id] for user_id in user_ids], all(is_whole(word) for word, *_ in replies)

    async def expire(self, now_ms: int) -> AsyncIterator[Change]:
        """See PresenceStore."""
        counts = await self._pipeline(
            [("ZCOUNT", _part_key(part, name), "-inf", now_ms) for part in range(PARTS) for name in ("held", "texts")]
        )
        due = [part for part in range(PARTS) if any(counts[2 * part : 2 * part + 2])]
        # At random, so that the sweepers of several nodes do not all call for the same ones.
        for part in random.sample(due, len(due)):
            members = [
                ("ZRANGE", _part_key(part, name), "-inf", now_ms, "BYSCORE", "LIMIT", 0, BATCH)
                for name in ("held", "texts")
            ]
            while any(found := await self._pipeline(members)):
                lost = [_user_and_connection(member) for member in found[0]]
                ended = [(UserId(user.decode()), "") for user in found[1]]
                for function, words in ((self._expire, lost), (self._end_text, ended)):
                    async for change in self._transitions(function, now_ms, [(part, NOBODY, words)]):
                        yield change

    async def bury(self, node_id: NodeId, now_ms: int) -> AsyncIterator[Change]:
        """See PresenceStore."""
        # At random, parts and members, so that two sweepers at the same grave do not dig at the same place.
        for part in random.sample(range(PARTS), PARTS):
            while members := (await self._pipeline([("SRANDMEMBER", _node_key(part, node_id), BATCH)]))[0]:
                buried = [_user_and_connection(member) for member in members]
                async for change in self._transitions(self._bury, now_ms, [(part, node_id, buried)]):
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

    async def _transitions(
        self, function: AsyncScript, now_ms: int, groups: Iterable[tuple[int, NodeId, Sequence[Words]]]
    ) -> AsyncIterator[Change]:
        """The transitions that a function made, of connections of a part, and of a node if one is concerned."""
        some = [
            (part, node_id, words[start : start + AT_ONCE])
            for part, node_id, words in groups
            for start in range(0, len(words), AT_ONCE)
        ]
        for start in range(0, len(some), CALLS):
            batch = some[start : start + CALLS]
            calls = [_call(part, node_id, now_ms, words) for part, node_id, words in batch]
            asked_s = time.monotonic()
            replies = chain.from_iterable(await called(self._redis, function, calls))
            for (user_id, *_), reply in zip(chain.from_iterable(words for *_, words in batch), replies, strict=True):
                if reply is not None and (change := _change(user_id, reply, asked_s)).own:
                    yield change

    async def _pipeline(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        return await pipelined(self._redis, commands)


def _part_key(part: int, name: str) -> str:
    return f"hub:presence:{{p{part}}}:{name}"


TRANSITIONS = [_part_key(part, "transitions") for part in range(PARTS)]
"""The stream of each part, see presence.transitions_redis."""
PART_KEYS = [
    [_part_key(part, name) for name in ("held", "texts", "transitions", "online", "nodes")] for part in range(PARTS)
]
"""The first of KEYS of lua/user.lua."""
NOBODY = NodeId("")
NEVER_MS = 0
"""The time for a function that has no use for it."""
STATE_KEYS = [_part_key(part, "state:") for part in range(PARTS)]
"""What the keys of a part's users begin with."""
MEMORIES = [(_part_key(part, "memory"), _part_key(part, "told")) for part in range(PARTS)]
"""See presence.memory_redis."""
HISTORY = [_part_key(part, "history") for part in range(PARTS)]
"""The same for those that were told, see presence.history_redis."""


def _node_key(part: int, node_id: NodeId) -> str:
    return _part_key(part, f"node:{node_id}")


def _call(part: int, node_id: NodeId, now_ms: int, words: Sequence[Words]) -> tuple[list[str], list[Any]]:
    """KEYS and ARGV of lua/user.lua."""
    state = STATE_KEYS[part]
    keys = [*PART_KEYS[part], _node_key(part, node_id), *(state + user_id for user_id, *_ in words)]
    return keys, [now_ms, node_id, len(words[0]), *chain.from_iterable(words)]


def _registration(one: Connection, now_ms: int) -> Words:
    """What lua/connect.lua is told."""
    idle = "" if one.idle is None else int(one.idle)
    active_ms = one.active_ms or now_ms
    return one.device, one.kind, int(one.status), one.text or "", one.text_until_ms, idle, active_ms


def _user_and_connection(member: bytes) -> tuple[UserId, ConnectionId]:
    user_id, _, connection_id = member.decode().partition(" ")
    return UserId(user_id), ConnectionId(connection_id)


def _change(user_id: UserId, reply: bytes, asked_s: float) -> Change:
    own, shown, entry, record = PACKED_CHANGE.decode(reply)
    at = EntryId(part_of(user_id), entry) if entry else None
    return Change(record, own, shown, at, asked_s)

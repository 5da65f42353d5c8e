"""What is kept in Redis of each connection, so that its client may come back to any node."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.cluster.bus import Bus
from hub.cluster.link import Down, Refused, Word
from hub.cluster.shard_commands import ShardCommands
from hub.kernel.errors import Unavailable
from hub.kernel.events import Actor, Caller
from hub.kernel.ids import ConnectionId, RoomName, SessionId, UserId
from hub.kernel.recovery import TicketHolder

log = logging.getLogger(__name__)

RENEW_S: Final = 60.0
RENEWALS_MS: Final = int(2 * RENEW_S * 1000)
"""By so much the record of a connection that lives outlasts the time in which its client may come back, so that it
outlives its node. Of the renewals, one each minute, one may fail."""
AT_ONCE: Final = 500
"""Records of one command: half a millisecond of Redis."""
IDS_KEPT: Final = 32
"""Of the connections that a record was before: a client may come back as often and be sent nothing that has an offset,
and must not be sent what it said over the first. 21 bytes each, of clients that flap."""
HOLDER: Final = ("user", "login", "ticket", "ends")


class Record:
    """A record, as the node sees it that has its connection."""

    __slots__ = ("_turn", "changed", "gen", "pid")

    def __init__(self, pid: str, gen: bytes) -> None:
        self.pid = pid
        self.gen = gen
        """How many connections it was. Only the last may change it."""
        self._turn: asyncio.Lock | None = None
        self.changed: dict[RoomName, int | None] = {}
        """Rooms that were joined, at a position, or left, and are not written yet."""

    @property
    def turn(self) -> asyncio.Lock:
        """One change after another, in the order in which they are asked for. Many records never change."""
        if self._turn is None:
            self._turn = asyncio.Lock()
        return self._turn

    @property
    def is_changing(self) -> bool:
        """Whether a change is under way: it may not have begun in Redis yet."""
        return self._turn is not None and self._turn.locked()


@dataclass(frozen=True, slots=True)
class Taken:
    """A record that has become that of another connection."""

    first_id: ConnectionId
    """Of the connection that it began with."""
    ids: Sequence[ConnectionId]
    """Of the last ones that it was, this at the end."""
    joined: Mapping[RoomName, int]
    """Its rooms, each with the position from which on everything of it is owed."""
    notes: Mapping[RoomName, bytes]
    """What features keep with them."""
    was_here: bool
    """Whether the connection before may still be there."""


class Records:
    """The records of the connections of this node. Each lies on the shard of its private id.

    It is written when the connection joins and leaves, and not when it goes: so it survives its node.
    """

    def __init__(self, bus: Bus, taken_away: Callable[[ConnectionId], None], *, window_s: int = 120) -> None:
        """``taken_away`` is called with a connection whose client has come back over another one.

        ``window_s``: how long a client that has gone may come back.
        """
        self._bus = bus
        self._window_ms = window_s * 1000
        self._live_ms = self._window_ms + RENEWALS_MS
        self._taken_away = taken_away
        self._records: dict[ConnectionId, Record] = {}
        self._gone: list[Record] = []
        """Records of connections that have gone, of which that is not written yet."""
        self._leaving: asyncio.Task[None] | None = None

    def has(self, connection_id: ConnectionId) -> bool:
        """Whether anything is kept of a connection."""
        return connection_id in self._records

    async def open(
        self, pid: str, caller: Caller, joined: Mapping[RoomName, int], *, ticket: str | None, ends_at_ms: int
    ) -> None:
        """Begin a record. Raises Unavailable."""
        commands, key = self._place(pid)
        who = (caller.user_id, caller.session_id, caller.connection_id)
        let_in = _let_in(ticket, ends_at_ms)
        record = self._records[caller.connection_id] = Record(pid, b"1")  # first: the connection may go meanwhile
        try:
            async with record.turn:
                base = await _ask(commands, "open", [key, commands.head], self._live_ms, *who, *let_in, *_pairs(joined))
            if int(base) != self._bus.base_of(pid):
                raise Unavailable("Redis has just lost events. Try again.")
        except BaseException:
            if self._records.get(caller.connection_id) is record:
                del self._records[caller.connection_id]
            raise

    async def take(self, pid: str, caller: Caller, *, ticket: str | None = None, ends_at_ms: int = 0) -> Taken | None:
        """Make a record that of the caller's connection; the one before can change it no more. ``None``: there is none.

        Raises Unavailable.
        """
        commands, key = self._place(pid)
        who = (caller.user_id, caller.session_id, caller.connection_id)
        let_in = _let_in(ticket, ends_at_ms)
        keys = [key, commands.head]
        found: list[bytes] | None = await _ask(commands, "take", keys, self._live_ms, *who, IDS_KEPT, *let_in)
        if found is None:
            return None
        fields = dict(zip(found[::2], found[1::2], strict=True))
        self._records[caller.connection_id] = Record(pid, fields[b"gen"])
        return Taken(
            first_id=ConnectionId(fields[b"first"].decode()),
            ids=[ConnectionId(one) for one in fields[b"ids"].decode().split()],
            joined={RoomName(name[2:].decode()): int(at) for name, at in fields.items() if name.startswith(b"r:")},
            notes={RoomName(name[2:].decode()): note for name, note in fields.items() if name.startswith(b"n:")},
            was_here=fields[b"was"] == b"1",
        )

    async def holder(self, pid: str, ticket: str) -> TicketHolder | None:
        """Whom a ticket had let in, if the connection of ``pid`` was made with it. Raises Unavailable."""
        commands, key = self._place(pid)
        try:
            user, login, digest, ends = await (await commands.link()).call("HMGET", key, *HOLDER)
        except (Down, Refused) as error:
            raise Unavailable from error
        if user is None or digest != _digest(ticket):
            return None
        return TicketHolder(Actor(UserId(user.decode()), SessionId(login.decode())), int(ends))

    async def moved(self, connection_id: ConnectionId, rooms: Mapping[RoomName, int | None]) -> None:
        """A connection is in more rooms, each from a position on, or, with ``None``, in one less.

        On return that is so for whoever comes back. What is asked for meanwhile is written with it. Raises Unavailable,
        and then nothing of this is written.
        """
        record = self._records.get(connection_id)
        if record is None or not rooms:
            return
        record.changed.update(rooms)
        async with record.turn:
            changed, record.changed = record.changed, {}
            if not changed:
                return  # by the one before
            try:
                await self._change(connection_id, record, "rooms", *_pairs(changed))
            except BaseException:  # of whoever is cancelled too
                others = {room: at for room, at in changed.items() if room not in rooms}
                record.changed = others | record.changed
                raise

    async def note(self, connection_id: ConnectionId, room: RoomName, note: bytes) -> None:
        """Keep a note with a room of a connection, if it is in it. Raises Unavailable."""
        record = self._records.get(connection_id)
        if record is not None:
            async with record.turn:
                await self._change(connection_id, record, "note", room, note)

    def gone(self, connection_id: ConnectionId) -> None:
        """A connection has gone: its client may come back for some time. Written soon, for many at once."""
        record = self._records.pop(connection_id, None)
        if record is not None:
            self._gone.append(record)
            if self._leaving is None:
                self._leaving = asyncio.get_running_loop().create_task(self._leave(), name="records left")

    async def _leave(self) -> None:
        try:
            while self._gone:
                gone, self._gone = self._gone, []
                for record in gone:
                    if record.is_changing:  # what was begun is written first
                        async with record.turn:
                            pass
                for commands, records in self._in_parts(gone):
                    keys = [self._place(record.pid)[1] for record in records]
                    await _ask(commands, "leave", keys, self._window_ms, *(record.gen for record in records), many=True)
        except Unavailable:
            log.info("records are left to run out by themselves")
        finally:
            self._leaving = None

    async def flushed(self) -> None:
        """Wait until it is written which connections have gone."""
        if self._leaving is not None:
            await self._leaving

    async def end(self, connection_id: ConnectionId) -> None:
        """Nobody is to come back to this. Raises Unavailable."""
        record = self._records.pop(connection_id, None)
        if record is not None:
            async with record.turn:
                await self._change(connection_id, record, "end")

    async def _change(self, connection_id: ConnectionId, record: Record, *change: Word) -> None:
        commands, key = self._place(record.pid)
        self._saw(connection_id, record, await _ask(commands, "change", [key], record.gen, *change))

    def _saw(self, connection_id: ConnectionId, record: Record, whose: bytes) -> None:
        """Redis has said whose a record is."""
        if whose != b"mine" and self._records.get(connection_id) is record:
            del self._records[connection_id]
            if whose == b"other":
                self._taken_away(connection_id)

    async def run(self) -> None:
        """Renew the records of this node's connections, for ever."""
        while True:
            await asyncio.sleep(RENEW_S)
            await self._renew()

    async def _renew(self) -> None:
        unchanged = {record: id for id, record in self._records.items() if not record.is_changing}  # others next time
        for commands, records in self._in_parts(unchanged):
            try:
                await self._keep(commands, {unchanged[record]: record for record in records})
            except Unavailable as error:
                log.warning("what is kept of connections was not renewed: %s", error)

    async def _keep(self, commands: ShardCommands, records: Mapping[ConnectionId, Record]) -> None:
        """Renew some of one shard. Of those that others have taken, nothing: their connections go."""
        keys = [self._place(record.pid)[1] for record in records.values()]
        gens = [record.gen for record in records.values()]
        said = await _ask(commands, "keep", keys, self._live_ms, *gens, many=True)
        for (connection_id, record), whose in zip(records.items(), said, strict=True):
            self._saw(connection_id, record, whose)

    def _in_parts(self, records: Iterable[Record]) -> Iterator[tuple[ShardCommands, Sequence[Record]]]:
        """Records of one shard each, and so many as one command takes."""
        found: dict[int, tuple[ShardCommands, list[Record]]] = {}
        for record in records:
            commands = self._bus.commands_of(record.pid)
            found.setdefault(commands.index, (commands, []))[1].append(record)
        for commands, together in found.values():
            for start in range(0, len(together), AT_ONCE):
                yield commands, together[start : start + AT_ONCE]

    def _place(self, pid: str) -> tuple[ShardCommands, str]:
        commands = self._bus.commands_of(pid)
        return commands, f"{commands.tag}:back:{pid}"


async def _ask(commands: ShardCommands, what: str, keys: Sequence[str], *arguments: Word, many: bool = False) -> Any:
    try:
        return await commands.function(f"sparkle1_{what}_record{'s' if many else ''}", keys, *arguments)
    except (Down, Refused) as error:
        raise Unavailable from error


def _pairs(rooms: Mapping[RoomName, int | None]) -> list[Word]:
    return [word for room, position in rooms.items() for word in (room, "" if position is None else position)]


def _let_in(ticket: str | None, ends_at_ms: int) -> tuple[Word, ...]:
    return ("", "") if ticket is None else (_digest(ticket), ends_at_ms)


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).hexdigest().encode()

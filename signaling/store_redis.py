"""Calls in Redis: one Lua function for a call, in a part with deadlines and debts; pairs under tags of their own."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec

from hub.kernel.clock import Clock
from hub.kernel.ids import SessionId, UserId, new_ulid
from signaling.call.commands import (
    Accept,
    Callee,
    Command,
    Create,
    End,
    Expire,
    Hold,
    Invite,
    Media,
    Move,
    Restart,
    Signal,
    Tell,
    Upgrade,
)
from signaling.call.model import Call, Change
from signaling.call.outcome import Outcome, Owing, Verdict
from signaling.redis_commands import Asked, Commands, Script
from signaling.settings import CallSettings
from signaling.store import PARTED, PARTED_S, Overdue, Placement

LUA = Path(__file__).with_name("lua")
FILES = ("step", "joining", "leaving", "talking", "run")
"""Of the one function that moves a call, in the order in which they need each other."""
PARTS = 8
"""Into which calls are divided, each in a slot of its own: a call beside its deadline and what is owed of it. Every
node looks into all of them twice a second; a cluster of more servers than parts has some without calls."""
TAKEN_MS = 2_000
"""How long a due call is left to the node that took it. Handling one takes milliseconds."""
TAKEN_AT_MOST = 100
OVERDUE_AT_ONCE = 100
"""Of one part. After the death of a node that left thousands untold, nodes tell as many at a time."""
PAIR_KEPT_MS = 24 * 3_600_000
"""Only cleans up behind a crash: a pair is given back at the end. Longer than nearly all calls."""
CHANGES_KEPT = 256
"""As the Lua function keeps them."""

CALL = Script("".join((LUA / "call" / f"{file}.lua").read_text() for file in FILES))
CLAIM, PART, RELEASE, TAKE_DUE, OVERDUE, LOG = [
    Script((LUA / f"{name}.lua").read_text())
    for name in ("pair_claim", "pair_part", "release", "take_due", "overdue", "log")
]

_READ = msgspec.json.Decoder(Call)


class RedisCallStore:
    """Implements signaling.store.CallStore.

    Time is this node's clock, as the model wants it: clocks that differ by a second move a deadline by a second.
    """

    def __init__(self, commands: Commands, clock: Clock, settings: CallSettings) -> None:
        self._commands = commands
        self._clock = clock
        self._lease_ms = settings.leg_lease_s * 1000
        self._limits = (self._lease_ms, settings.alone_s * 1000, settings.ended_kept_s * 1000)

    async def create(self, call_id: str, command: Create) -> Outcome:
        """See CallStore."""
        added, outcome, _ = await self._create(call_id, command)
        await self._drop_deadline_of_settled(call_id, outcome, added)
        return outcome

    async def place(self, call_id: str, command: Create) -> Placement:
        """See CallStore."""
        [callee] = command.to
        pair = pair_of(command.actor.user_id, callee.user_id)
        claim, look = Asked((pair, call_id, "", PAIR_KEPT_MS), CLAIM), Asked(("GET", line_of(callee.user_id)))
        added, outcome, (holder, its_line) = await self._create(call_id, command, claim, look)
        if holder == call_id.encode() and not _has(outcome.call, pair):  # the repeat of one that is over, or a group
            await self._commands.call(RELEASE, pair, call_id)
            holder = b""
        await self._drop_deadline_of_settled(call_id, outcome, added)
        return Placement(outcome, holder.decode(), None if its_line is None else its_line.decode())

    async def _create(self, call_id: str, command: Create, *more: Asked) -> tuple[bool, Outcome, list[Any]]:
        """Whether it has a deadline since now, what came of it, and the replies to what was asked behind it."""
        first_due = min(self._clock.now_ms() + self._lease_ms, command.ring_until)
        # NX: a repeat finds the deadline there, perhaps already taken by a sweeper.
        note = Asked(("ZADD", _due(part_of(call_id)), "NX", first_due, call_id))
        create = Asked((key_of(call_id), *self._words(command)), CALL)
        asked_s = time.monotonic()
        added, reply, *replies = await self._commands.many(note, create, *more)
        return bool(added), _outcome(call_id, asked_s, *reply), replies

    async def _drop_deadline_of_settled(self, call_id: str, outcome: Outcome, added: bool) -> None:
        """Of the repeat of a call long settled: nobody is told of its end again."""
        if added and outcome.call is not None and outcome.call.is_over:
            await self.forget(call_id)

    async def apply(self, call_id: str, command: Command) -> Outcome:
        """See CallStore."""
        asked_s = time.monotonic()
        reply = await self._commands.call(CALL, key_of(call_id), *self._words(command))
        return _outcome(call_id, asked_s, *reply)

    def _words(self, command: Command) -> tuple[str | int, ...]:
        """What the one function takes for a command."""
        actor = None if isinstance(command, Tell | Move | Expire) else command.actor
        who = (actor.user_id, actor.session_id, actor.connection_id) if actor else ("", "", "")
        name, details = type(command).__name__.lower(), _DETAILS.get(type(command), _nothing)(command)
        return name, self._clock.now_ms(), *who, *self._limits, *details

    async def log(self, call_id: str, user_id: UserId, since_version: int) -> tuple[list[Change], bool]:
        """See CallStore."""
        for_all, for_leg = await self._commands.call(LOG, key_of(call_id), since_version, user_id)
        changes = [_change(entry) for entry in for_all] + [_change(entry, to=user_id) for entry in for_leg]
        complete = len(for_all) < CHANGES_KEPT and len(for_leg) < CHANGES_KEPT
        return sorted(changes, key=lambda change: change.version), complete

    async def overdue(self, older_than_s: float) -> list[Overdue]:
        """See CallStore."""
        replies = await self._commands.many(*(Asked((_owed(part), OVERDUE_AT_ONCE), OVERDUE) for part in range(PARTS)))
        now = self._clock.now_ms()
        owed = [_aged(entry, now) for entries in replies for entry in entries]
        return [one for one in owed if one.age_s >= older_than_s]

    async def told(self, owed: Iterable[Owing]) -> None:
        """See CallStore."""
        by_part: defaultdict[int, list[str]] = defaultdict(list)
        for owing in owed:
            by_part[part_of(owing.call_id)].append(owing.entry)
        await self._commands.many(*(Asked(("XDEL", _owed(part), *entries)) for part, entries in by_part.items()))

    async def claim_pair(self, call: Call, instead_of: str = "") -> str:
        """See CallStore."""
        pair = pair_of(call.initiator, call.callee)
        holder: bytes = await self._commands.call(CLAIM, pair, call.call_id, instead_of, PAIR_KEPT_MS)
        return holder.decode()

    async def part(self, one: UserId, other: UserId, instead_of: str = "") -> str | None:
        """See CallStore."""
        mark = f"{PARTED} {new_ulid()}"
        holder: bytes | None = await self._commands.call(PART, pair_of(one, other), mark, PARTED_S * 1000, instead_of)
        return None if holder is None else holder.decode()

    async def release(self, call: Call) -> None:
        """See CallStore."""
        if call.callee:
            await self._commands.call(RELEASE, pair_of(call.initiator, call.callee), call.call_id)

    async def take_due(self) -> list[str]:
        """See CallStore."""
        now = self._clock.now_ms()
        parts = (Asked((_due(part), now, now + TAKEN_MS, TAKEN_AT_MOST), TAKE_DUE) for part in range(PARTS))
        return [call_id.decode() for taken in await self._commands.many(*parts) for call_id in taken]

    async def reschedule(self, call_id: str, due_ms: int) -> None:
        """See CallStore."""
        # XX: a call that ended meanwhile has lost its deadline, and must not come up again.
        await self._commands.run("ZADD", _due(part_of(call_id)), "XX", due_ms, call_id)

    async def forget(self, call_id: str) -> None:
        """See CallStore."""
        await self._commands.run("ZREM", _due(part_of(call_id)), call_id)


def part_of(call_id: str) -> int:
    """The part that a call is in."""
    return crc32(call_id.encode()) % PARTS


def key_of(call_id: str) -> str:
    """The key of a call itself; the others begin with it."""
    return f"{{calls:{part_of(call_id)}}}:{call_id}"


def _due(part: int) -> str:
    return f"{{calls:{part}}}:due"


def _owed(part: int) -> str:
    return f"{{calls:{part}}}:owed"


def line_of(user_id: UserId) -> str:
    """The key of somebody's busy line."""
    return f"{{busy:{user_id}}}"


def _has(call: Call | None, pair: str) -> bool:
    """Whether a call goes on that is the one of a pair."""
    if call is None or call.is_over or call.group:
        return False
    return pair_of(call.initiator, call.callee) == pair


def pair_of(*people: UserId) -> str:
    """The key of the pair of two people: it names the call between them."""
    one, other = sorted(people)
    return f"{{pair:{one}:{other}}}"


_DETAILS: dict[type, Callable[[Any], Iterable[str | int]]] = {
    Create: lambda command: [command.type, command.ring_until, *_people(command.to)],
    Invite: lambda command: [command.ring_until, int(command.transfer), *_people(command.to)],
    Accept: lambda command: [int(command.only_if_ringing), command.mesh_limit],
    End: lambda command: [command.reason],
    Signal: lambda command: [command.seq, command.kind, command.data, command.to, command.gen],
    Media: lambda command: [command.media],
    Hold: lambda command: [int(command.on)],
    Upgrade: lambda command: [command.type],
    Restart: lambda command: [command.gen],
    Tell: lambda command: [command.to, command.kind, command.data],
    Move: lambda command: [command.engine, command.gen],
    Expire: lambda command: [int(command.unkept)],
}
"""What each command has beside its actor, in the order in which the Lua function takes it."""


def _nothing(_command: Command) -> Iterable[str | int]:
    return ()


def _people(to: Iterable[Callee]) -> Iterator[str | int]:
    for callee in to:
        yield callee.user_id
        yield int(callee.absent)


def _outcome(
    call_id: str, asked_s: float, verdict: bytes, version: int, lapsed: int, former: bytes, text: bytes, flat: list[Any]
) -> Outcome:
    return Outcome(
        Verdict(verdict.decode()),
        _READ.decode(text) if text else None,
        version,
        bool(lapsed),
        SessionId(former.decode()),
        tuple(Owing(call_id, one, entry.decode()) for one, entry in zip(flat[::2], flat[1::2], strict=True)),
        asked_s,
    )


def _fields(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _aged(entry: tuple[bytes, list[bytes]], now_ms: int) -> Overdue:
    fields = _fields(entry[1])
    owing = Owing(fields[b"call"].decode(), int(fields[b"version"]), entry[0].decode())
    return Overdue(owing, (now_ms - int(fields[b"at"])) / 1000)


def _change(entry: tuple[bytes, list[bytes]], *, to: str = "") -> Change:
    entry_id, flat = entry
    fields = _fields(flat)
    version, _, _ = entry_id.decode().partition("-")
    return Change(
        version=int(version),
        kind=fields[b"kind"].decode(),
        by=fields[b"by"].decode(),
        at_ms=int(fields[b"at"]),
        seq=int(fields[b"seq"]),
        data=fields[b"data"].decode(),
        to=to,
    )

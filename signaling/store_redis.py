"""Calls in Redis: one Lua function per call under ``{c:ID}``, deadlines and pairs under tags of their own."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from zlib import crc32

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.kernel.clock import Clock
from hub.kernel.errors import Unavailable
from hub.kernel.ids import SessionId, UserId
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
from signaling.call.outcome import Outcome, Verdict
from signaling.settings import CallSettings

LUA = Path(__file__).with_name("lua")
PARTS = ("step", "joining", "leaving", "talking", "run")
"""Of the one function that moves a call, in the order in which they need each other."""
INDEXES = 4
"""Parts of the index of deadlines, each in a slot of its own. A part per server of a usual cluster is enough."""
TAKEN_MS = 2_000
"""How long a due call is left to the node that took it. Handling one takes milliseconds."""
TAKEN_AT_MOST = 100
PAIR_KEPT_MS = 24 * 3_600_000
"""Only cleans up behind a crash: a pair is given back at the end. Longer than nearly all calls."""
CHANGES_KEPT = 256
"""As the Lua function keeps them."""

_READ = msgspec.json.Decoder(Call)


class RedisCallStore:
    """Implements signaling.store.CallStore.

    Time is this node's clock, as the model wants it: clocks that differ by a second move a deadline by a second.
    """

    def __init__(self, redis: Redis, clock: Clock, settings: CallSettings) -> None:
        self._redis = redis
        self._clock = clock
        self._lease_ms = settings.leg_lease_s * 1000
        self._limits = (self._lease_ms, settings.alone_s * 1000, settings.ended_kept_s * 1000)
        self._call = redis.register_script("".join((LUA / "call" / f"{part}.lua").read_text() for part in PARTS))
        self._claim = redis.register_script((LUA / "pair_claim.lua").read_text())
        self._release = redis.register_script((LUA / "release.lua").read_text())
        self._take_due = redis.register_script((LUA / "take_due.lua").read_text())

    async def create(self, call_id: str, command: Create) -> Outcome:
        """See CallStore."""
        first_due = min(self._clock.now_ms() + self._lease_ms, command.ring_until)
        with _reachable():
            # NX: a repeat finds the deadline there, perhaps already taken by a sweeper.
            added = await self._redis.zadd(_index(call_id), {call_id: first_due}, nx=True)
        outcome = await self.apply(call_id, command)
        if added and outcome.call is not None and outcome.call.is_over:
            await self.forget(call_id)  # the repeat of a call long settled: nobody is told of its end again
        return outcome

    async def apply(self, call_id: str, command: Command) -> Outcome:
        """See CallStore."""
        actor = None if isinstance(command, Tell | Move | Expire) else command.actor
        who = (actor.user_id, actor.session_id, actor.connection_id) if actor else ("", "", "")
        name = type(command).__name__.lower()
        arguments = [name, self._clock.now_ms(), *who, *self._limits, *_DETAILS.get(type(command), _nothing)(command)]
        with _reachable():
            verdict, version, lapsed, former, text = await self._call(keys=[f"{{c:{call_id}}}"], args=arguments)
        call = _READ.decode(text) if text else None
        return Outcome(Verdict(verdict.decode()), call, version, bool(lapsed), SessionId(former.decode()))

    async def log(self, call_id: str, user_id: UserId, since_version: int) -> tuple[list[Change], bool]:
        """See CallStore."""
        pipe, since = self._redis.pipeline(transaction=False), f"({since_version}-0"
        for part in ("events", f"to:{user_id}"):
            pipe.execute_command("XRANGE", f"{{c:{call_id}}}:{part}", since, "+")
        with _reachable():
            for_all, for_leg = await pipe.execute()
        changes = [_change(entry) for entry in for_all] + [_change(entry, to=user_id) for entry in for_leg]
        complete = len(for_all) < CHANGES_KEPT and len(for_leg) < CHANGES_KEPT
        return sorted(changes, key=lambda change: change.version), complete

    async def claim_pair(self, call: Call, instead_of: str = "") -> str:
        """See CallStore."""
        with _reachable():
            holder = await self._claim(
                keys=[_pair(call.initiator, call.callee)], args=[call.call_id, instead_of, PAIR_KEPT_MS]
            )
        return cast("bytes", holder).decode()

    async def between(self, one: UserId, other: UserId) -> str | None:
        """See CallStore."""
        with _reachable():
            holder = cast("bytes | None", await self._redis.get(_pair(one, other)))
        return None if holder is None else holder.decode()

    async def release(self, call: Call) -> None:
        """See CallStore."""
        if call.callee:
            with _reachable():
                await self._release(keys=[_pair(call.initiator, call.callee)], args=[call.call_id])

    async def take_due(self) -> list[str]:
        """See CallStore."""
        now = self._clock.now_ms()
        due: list[str] = []
        with _reachable():
            for part in range(INDEXES):
                taken = await self._take_due(keys=[_part(part)], args=[now, now + TAKEN_MS, TAKEN_AT_MOST])
                due.extend(call_id.decode() for call_id in taken)
        return due

    async def reschedule(self, call_id: str, due_ms: int) -> None:
        """See CallStore."""
        with _reachable():
            # XX: a call that ended meanwhile has lost its deadline, and must not come up again.
            await self._redis.zadd(_index(call_id), {call_id: due_ms}, xx=True)

    async def forget(self, call_id: str) -> None:
        """See CallStore."""
        with _reachable():
            await self._redis.zrem(_index(call_id), call_id)


@contextmanager
def _reachable() -> Iterator[None]:
    """Raises Unavailable where Redis does not answer."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable("Calls cannot be reached just now.") from error


def _part(number: int) -> str:
    return f"{{callidx:{number}}}"


def _index(call_id: str) -> str:
    return _part(crc32(call_id.encode()) % INDEXES)


def _pair(*people: UserId) -> str:
    one, other = sorted(people)
    return f"{{pair:{one}:{other}}}"


_DETAILS: dict[type, Callable[[Any], Iterable[str | int]]] = {
    Create: lambda command: [command.type, command.ring_until, *_people(command.to)],
    Invite: lambda command: [command.ring_until, int(command.transfer), *_people(command.to)],
    Accept: lambda command: [int(command.only_if_ringing)],
    End: lambda command: [command.reason],
    Signal: lambda command: [command.seq, command.kind, command.data, command.to, command.gen],
    Media: lambda command: [command.media],
    Hold: lambda command: [int(command.on)],
    Upgrade: lambda command: [command.type],
    Restart: lambda command: [command.gen],
    Tell: lambda command: [command.to, command.kind, command.data],
    Move: lambda command: [command.engine, command.gen],
    Expire: lambda command: [command.told],
}
"""What each command has beside its actor, in the order in which the Lua function takes it."""


def _nothing(_command: Command) -> Iterable[str | int]:
    return ()


def _people(to: Iterable[Callee]) -> Iterator[str | int]:
    for callee in to:
        yield callee.user_id
        yield int(callee.absent)


def _change(entry: tuple[bytes, dict[bytes, bytes]], *, to: str = "") -> Change:
    entry_id, fields = entry
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

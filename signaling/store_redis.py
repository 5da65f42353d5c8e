"""Calls in Redis: one Lua function per call under ``{c:ID}``, deadlines and pairs under tags of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from zlib import crc32

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.kernel.clock import Clock
from hub.kernel.errors import Unavailable
from hub.kernel.ids import ConnectionId, SessionId, UserId
from signaling.model import (
    Accept,
    Alert,
    Call,
    Command,
    Create,
    End,
    Expire,
    Leg,
    Logged,
    Outcome,
    Renew,
    Resume,
    Signal,
    State,
    Verdict,
)
from signaling.settings import CallSettings

LUA = Path(__file__).with_name("lua")
INDEXES = 4
"""Parts of the index of deadlines, each in a slot of its own. A part per server of a usual cluster is enough."""
TAKEN_MS = 2_000
"""How long a due call is left to the node that took it. Handling one takes milliseconds."""
TAKEN_AT_MOST = 100
PAIR_KEPT_MS = 24 * 3_600_000
"""Only cleans up behind a crash: a pair is given back at the end. Longer than nearly all calls."""

_NAMES: dict[type, str] = {
    Create: "create",
    Alert: "alert",
    Accept: "accept",
    End: "end",
    Signal: "signal",
    Resume: "resume",
    Renew: "renew",
    Expire: "expire",
}


class RedisCallStore:
    """Implements signaling.store.CallStore.

    Time is this node's clock, as the model wants it: clocks that differ by a second move a deadline by a second.
    """

    def __init__(self, redis: Redis, clock: Clock, settings: CallSettings) -> None:
        self._redis = redis
        self._clock = clock
        self._lease_ms = settings.leg_lease_s * 1000
        self._ended_kept_ms = settings.ended_kept_s * 1000
        self._call = redis.register_script((LUA / "call.lua").read_text())
        self._claim = redis.register_script((LUA / "pair_claim.lua").read_text())
        self._release = redis.register_script((LUA / "pair_release.lua").read_text())
        self._take_due = redis.register_script((LUA / "take_due.lua").read_text())

    async def create(self, call_id: str, command: Create) -> Outcome:
        """See CallStore."""
        first_due = min(self._clock.now_ms() + self._lease_ms, command.ring_until_ms)
        with _reachable():
            # NX: a repeat finds the deadline there, perhaps already taken by a sweeper.
            await self._redis.zadd(_index(call_id), {call_id: first_due}, nx=True)
        outcome = await self.apply(call_id, command)
        if outcome.call is not None and outcome.call.state is State.ENDED:
            await self.forget(call_id)  # the repeat of a call long settled: nobody is told of its end again
        return outcome

    async def apply(self, call_id: str, command: Command) -> Outcome:
        """See CallStore."""
        keys = [f"{{c:{call_id}}}", f"{{c:{call_id}}}:events", f"{{c:{call_id}}}:sent"]
        actor = None if isinstance(command, Expire) else command.actor
        who = (actor.user_id, actor.session_id, actor.connection_id) if actor else ("", "", "")
        now = self._clock.now_ms()
        arguments = [_NAMES[type(command)], now, *who, self._lease_ms, self._ended_kept_ms, *_details(command)]
        with _reachable():
            verdict, version, lapsed, fields = await self._call(keys=keys, args=arguments)
        return Outcome(Verdict(verdict.decode()), _call(call_id, fields), version, bool(lapsed))

    async def log(self, call_id: str, since_version: int) -> list[Logged]:
        """See CallStore."""
        with _reachable():
            entries = await self._redis.xrange(f"{{c:{call_id}}}:events", min=f"({since_version}-0")
        return [_logged(*entry) for entry in cast("list[tuple[bytes, dict[bytes, bytes]]]", entries)]

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

    async def settle(self, call: Call) -> None:
        """See CallStore."""
        with _reachable():
            await self._release(keys=[_pair(call.initiator, call.callee)], args=[call.call_id])
        await self.forget(call.call_id)

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


def _details(command: Command) -> list[str | int]:
    match command:
        case Create():
            return [command.callee, command.type, command.ring_until_ms]
        case End():
            return [command.reason]
        case Signal():
            return [command.seq, command.kind, command.data]
        case _:
            return []


def _call(call_id: str, flat: list[bytes]) -> Call | None:
    """The call of a hash as Redis gives it: names and values in turn."""
    if not flat:
        return None
    text = [part.decode() for part in flat]
    fields = dict(zip(text[::2], text[1::2], strict=True))
    caller_leg = _leg(fields, "caller")
    if caller_leg is None:
        raise ValueError(f"call {call_id} has no caller")
    return Call(
        call_id=call_id,
        type=fields["type"],
        initiator=UserId(fields["initiator"]),
        callee=UserId(fields["callee"]),
        ring_until_ms=int(fields["ring_until"]),
        caller_leg=caller_leg,
        callee_leg=_leg(fields, "callee"),
        state=State(fields["state"]),
        version=int(fields["version"]),
        alerted=int(fields["alerted"]) if "alerted" in fields else None,
        accepted=int(fields["accepted"]) if "accepted" in fields else None,
        reason=fields.get("reason"),
    )


def _leg(fields: dict[str, str], role: str) -> Leg | None:
    if f"{role}_connection" not in fields:
        return None
    return Leg(
        session_id=SessionId(fields[f"{role}_session"]),
        connection_id=ConnectionId(fields[f"{role}_connection"]),
        lease_until_ms=int(fields[f"{role}_lease"]),
        seq=int(fields[f"{role}_seq"]),
    )


def _logged(entry_id: bytes, fields: dict[bytes, bytes]) -> Logged:
    version, _, _ = entry_id.decode().partition("-")
    return Logged(
        version=int(version),
        kind=fields[b"kind"].decode(),
        user_id=fields[b"by"].decode(),
        at_ms=int(fields[b"at"]),
        seq=int(fields[b"seq"]),
        data=fields[b"data"].decode(),
    )

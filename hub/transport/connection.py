"""One connection of this node: who it speaks for, and its events in the order they came."""

import time
from asyncio import AbstractEventLoop, Future
from collections.abc import Sequence

import msgspec

from hub.kernel.events import Caller, Handler, P, Reply
from hub.kernel.ids import ConnectionId
from hub.kernel.ports import Admission, Gate
from hub.transport.engineio.session import Reason
from hub.transport.engineio.timer_wheel import Entry
from hub.transport.engineio.websocket import CloseCode
from hub.transport.socketio.socket import Socket
from hub.transport.token_expiry import TokenExpiry


class UnderWay:
    """How much is under way, and its end to wait for."""

    __slots__ = ("_count", "_waiters")

    def __init__(self) -> None:
        self._count = 0
        self._waiters: list[Future[None]] | None = None

    def begin(self) -> None:
        """One more."""
        self._count += 1

    @property
    def is_settled(self) -> bool:
        """Whether nothing is."""
        return not self._count

    def end(self) -> None:
        """One less."""
        self._count -= 1
        if not self._count and self._waiters:
            waiters, self._waiters = self._waiters, None
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def settled(self, loop: AbstractEventLoop) -> None:
        """Wait until nothing is under way."""
        while self._count:
            waiter: Future[None] = loop.create_future()
            self._waiters = [*(self._waiters or ()), waiter]
            await waiter


class Turn:
    """One event's place among those of its connection with the same order key.

    They stand in a line, each with its neighbours, so that one can be given up while it waits for those before it.
    """

    __slots__ = ("_after", "_before", "_called", "_key", "_loop", "_turns")

    def __init__(self, turns: dict[str, "Turn"], key: str, loop: AbstractEventLoop) -> None:
        """``turns`` are the last ones of the connection by key."""
        self._turns, self._key, self._loop = turns, key, loop
        self._before: Turn | None = turns.get(key)
        self._after: Turn | None = None
        self._called: Future[None] | None = None
        """Done when its turn has come, if it waits for that."""
        if self._before is not None:
            self._before._after = self
        turns[key] = self

    async def then(self, handler: Handler[P], caller: Caller, payload: P) -> Reply:
        """Wait until it has come, and then have the event served."""
        if self._before is not None:
            self._called = self._loop.create_future()
            await self._called
        reply = handler(caller, payload)
        return reply if reply is None or isinstance(reply, msgspec.Struct) else await reply

    def end(self) -> None:
        """The event is done, whatever came of it, or was given up. The turn of the next comes after all before it."""
        before, after, turns = self._before, self._after, self._turns
        if before is not None:
            before._after = after
        if after is not None:
            after._before = before
            if before is None and after._called is not None and not after._called.done():
                after._called.set_result(None)
        elif before is not None:
            turns[self._key] = before
        else:
            del turns[self._key]


class Connection(UnderWay):
    """One connection: a socket of the default namespace, who it speaks for, and how many of its events are under way.

    There may be 15 000 of them, most of them idle, so what an idle one does not need it does not have.
    """

    __slots__ = (
        "active_s",
        "caller",
        "earlier",
        "engine",
        "expires_at_ms",
        "expiry",
        "gate",
        "leaves",
        "only_again",
        "pid",
        "slot",
        "socket",
        "source",
        "ticket",
        "told",
        "turns",
        "warned",
    )

    def __init__(
        self, socket: Socket, gate: Gate, admission: Admission, expiry: TokenExpiry, source: str | None = None
    ) -> None:
        super().__init__()
        self.socket = socket
        self.engine = socket.client.session.engine
        self.gate = gate
        self.caller = admission.caller
        self.expires_at_ms = admission.expires_at_ms
        self.active_s = time.monotonic()
        """See hub.kernel.ports.Activity."""
        self.ticket = admission.ticket
        """With which it was let in, if it was by one."""
        self.only_again = admission.only_again
        """Whether it is let in only if it comes back."""
        self.leaves = False
        """Whether no event of it is begun any more: its client repeats elsewhere what is not answered."""
        self.pid = ""
        """Under which its client comes back; empty for one that cannot."""
        self.earlier: Sequence[ConnectionId] = ()
        """The ids that it had before it came back."""
        self.expiry = expiry
        self.slot: dict[Entry, None] | None = None
        """Its place in the wheel of ``expiry``."""
        self.warned = False
        """Whether it was told that its token runs out."""
        self.source = source
        """What its address is counted as by limits; ``None``: it is not."""
        self.told = False
        """Whether the features have been told of it, and so must be told of its end."""
        self.turns: dict[str, Turn] | None = None
        """The last event of each order key, while there is one under way; ``None`` before the first."""

    def cut(self) -> None:
        """Close it so that its client comes back by itself."""
        self.socket.client.session.close(Reason.FORCED_CLOSE, CloseCode.GOING_AWAY)

    def due(self) -> None:
        """Its token is about to run out, or has."""
        self.expiry.due(self)

    def in_order(self, key: str) -> Turn:
        """The place of an event behind every earlier one with the same key."""
        if self.turns is None:
            self.turns = {}
        return Turn(self.turns, key, self.engine.loop)

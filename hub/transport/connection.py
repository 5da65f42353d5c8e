"""One connection of this node: who it speaks for, and its events in the order they came."""

from asyncio import AbstractEventLoop, Future

from hub.kernel.ids import ConnectionId
from hub.kernel.ports import Admission, Gate
from hub.transport.socketio.socket import Socket


class UnderWay:
    """How much is under way, and its end to wait for."""

    __slots__ = ("_count", "_waiters")

    def __init__(self) -> None:
        self._count = 0
        self._waiters: list[Future[None]] | None = None

    def begin(self) -> None:
        """One more."""
        self._count += 1

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
    """One event's turn among those with the same order key: ``async with`` waits for those before it.

    They are a line, each with its neighbours: so one that is cancelled while it waits can leave from the middle.
    """

    __slots__ = ("_after", "_before", "_called", "_connection", "_key")

    def __init__(self, connection: "Connection", key: str) -> None:
        self._connection, self._key = connection, key
        self._before: Turn | None = None
        self._after: Turn | None = None
        self._called: Future[None] | None = None
        """What it waits for, if there was one before it."""

    async def __aenter__(self) -> None:
        turns = self._connection.turns
        before = self._before = turns.get(self._key)
        turns[self._key] = self
        if before is None:
            return
        before._after = self
        self._called = self._connection.loop.create_future()
        try:
            await self._called
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        before, after, turns = self._before, self._after, self._connection.turns
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


class Connection:
    """One connection: a socket of the default namespace, and who it speaks for."""

    __slots__ = ("caller", "expires_at_ms", "gate", "loop", "socket", "told", "turns", "under_way")

    def __init__(self, socket: Socket, gate: Gate, admission: Admission) -> None:
        self.socket = socket
        self.loop = socket.client.session.engine.loop
        self.gate = gate
        self.caller = admission.caller
        self.expires_at_ms = admission.expires_at_ms
        self.told = False
        """Whether the features have been told of it, and so must be told of its end."""
        self.under_way = UnderWay()
        self.turns: dict[str, Turn] = {}
        """The last event of each order key, while there is one under way."""

    @property
    def id(self) -> ConnectionId:
        """Its id, which others may see."""
        return self.caller.connection_id

    def in_order(self, key: str) -> Turn:
        """The turn of an event behind every earlier one with the same key; its place is taken when it is entered."""
        return Turn(self, key)

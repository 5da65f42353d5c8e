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
    """One event's turn among those with the same order key: ``async with`` waits for the one before it."""

    __slots__ = ("_before", "_connection", "_done", "_key")

    def __init__(self, connection: "Connection", key: str) -> None:
        self._connection, self._key = connection, key
        turns = connection.turns
        self._before: Turn | None = turns.get(key)
        self._done: Future[None] | None = None
        turns[key] = self

    async def __aenter__(self) -> None:
        before, self._before = self._before, None
        if before is None:
            return
        before._done = self._connection.loop.create_future()
        try:
            await before._done
        except BaseException:
            self._end()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)
        if self._connection.turns.get(self._key) is self:
            del self._connection.turns[self._key]


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
        """The place of an event behind every earlier one with the same key; taken at once, entered later."""
        return Turn(self, key)

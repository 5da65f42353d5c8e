"""The life of a connection: let in, given back what it had or begun anew, told to the features, and left behind."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any

from hub.kernel.clock import from_ms
from hub.kernel.errors import Conflict, Overloaded, Unauthorized, Unavailable
from hub.kernel.events import Caller, EventRouter
from hub.kernel.ids import ConnectionId, NodeId, RoomName, UserId, session_room, user_room
from hub.kernel.limits import UNLIMITED
from hub.kernel.ports import Gate, Limits
from hub.kernel.recovery import Claim, Recovered, Recovery
from hub.kernel.tasks import Tasks
from hub.kernel.wire import ServerEvent, to_wire
from hub.transport.connection import Connection, UnderWay
from hub.transport.deliveries import DeliveryPackets
from hub.transport.engineio.session import Reason
from hub.transport.engineio.session_ids import new_id
from hub.transport.engineio.websocket import CloseCode
from hub.transport.outages import as_hub_error, client_error
from hub.transport.socket_metrics import METRICS
from hub.transport.socketio.socket import Socket
from hub.transport.token_expiry import TokenExpiry

log = logging.getLogger(__name__)

LAST_EVENTS_S = 5.0
"""Longest wait, after a connection has gone, for the events of it that are being handled."""
LEAVING_AT_ONCE = 32
"""Connections whose disconnect hooks run at the same time, of the thousands that may go together: every hook needs
Redis. The others wait in a queue, which costs less than a task for each while their ends are still being read."""
OWN_ROOMS = frozenset({"user", "session"})
"""The kinds of rooms that every connection is in, and that need no restoring."""
FINAL = frozenset({Reason.CLIENT_DISCONNECT, Reason.SERVER_DISCONNECT})
"""Why a connection ended to which nobody is to come back."""

OURS = frozenset({Reason.SERVER_DISCONNECT, Reason.FORCED_CLOSE})
"""Why a connection ended by our own doing: its client hears of that later than we, and what counts from its loss on
would be over too soon. On a busy machine that was 0.3 s."""


class SessionReady(ServerEvent):
    """Sent once after every connect: rooms are joined, events are served from here on."""

    event = "session:ready"
    user_id: str
    session_id: str
    connection_id: str
    node_id: str
    expires_at: datetime
    recovered: bool = False
    unread_notifications: int = 0


class ConnectionLife:
    """Lets sockets in, and out.

    It keeps two tables: ``connections``, those that are in or about to be; and ``earlier``, for the id of a connection
    that came back the id that it has now.
    """

    def __init__(
        self,
        connections: dict[ConnectionId, Connection],
        earlier: dict[ConnectionId, ConnectionId],
        node_id: NodeId,
        tasks: Tasks,
        under_way: UnderWay,
        expiry: TokenExpiry,
    ) -> None:
        self._connections = connections
        self._of_user: Counter[UserId] = Counter()
        """How many of these each user has."""
        self._earlier = earlier
        self._node_id = node_id
        self._tasks = tasks
        self._under_way = under_way
        self._expiry = expiry
        self._gate: Gate | None = None
        self._router = EventRouter()
        self._limits: Limits = UNLIMITED
        self._recovery: Recovery | None = None
        self._recovers = False
        self._leaving: deque[tuple[Connection, bool]] = deque()
        """Connections whose disconnect hooks are to run, and whether they went for good."""
        self._leavers = 0
        """Tasks that run them."""
        self.closed = False
        """Whether nobody is let in any more."""

    def serve(
        self, gate: Gate, router: EventRouter, limits: Limits, recovery: Recovery | None, *, recovers: bool
    ) -> None:
        """Let in whom ``gate`` admits. Nobody is let in before. ``recovers``: whether clients may come back."""
        self._gate, self._router, self._limits, self._recovery = gate, router, limits, recovery
        self._recovers = recovers

    # ---------------------------------------------------------------- coming

    def connect(self, socket: Socket, auth: Any) -> None:
        """A client asks to connect."""
        socket.client.begin()
        self._tasks.adopt(socket.client.session.engine.spawn(self._connect(socket, auth)), name="connect")

    async def _connect(self, socket: Socket, auth: Any) -> None:
        try:
            connection = await self._admit(socket, auth)
            if connection is None:
                return
            connection.begin()
            try:
                await self._answer(connection, auth)
            finally:
                connection.end()
        finally:
            socket.client.end()

    async def _admit(self, socket: Socket, auth: Any) -> Connection | None:
        """Look at a handshake. ``None``: refused."""
        request = socket.client.request
        address = "" if request is None else request.address
        try:
            if self._gate is None or self.closed:
                raise Unavailable
            admission = await self._gate.admit(ConnectionId(socket.sid), auth, address)
            if self.closed:  # since then: it would miss the farewell, and be served no more
                raise Unavailable
        except Exception as error:
            _refuse(socket, error, "handshake")
            return None
        return Connection(socket, self._gate, admission, self._expiry, self._limits.source(address))

    async def _answer(self, connection: Connection, auth: Any) -> None:
        """Accept a connection, with what it has back of an earlier one, and let it begin."""
        socket = connection.socket
        self._add(connection)
        try:
            recovered = await self._recover(connection, Claim.of(auth))
            if recovered is None:
                if connection.only_again:
                    raise Unauthorized("This ticket is spent. Get a new one.")
                # One that has an earlier connection back takes its place.
                await connection.gate.make_room(connection.caller, self._of_user[connection.caller.user_id])
            accepted = self._accept(connection, recovered)
        except Exception as error:
            _refuse(socket, error, "recovery")
            await self._forget_early(connection)
            return
        if not accepted:
            await self._forget_early(connection)  # gone meanwhile
            return
        socket.client.request = None
        await self._begin(connection, recovered)

    def _accept(self, connection: Connection, recovered: Recovered | None) -> bool:
        socket = connection.socket
        if recovered is None:
            return socket.accept({"sid": socket.sid, **({"pid": connection.pid} if connection.pid else {})})
        missed = [
            DeliveryPackets(delivery)(socket.client.form)
            for room, delivery in recovered.missed
            if room in socket.rooms  # a feature may have taken it out, unnoticed
        ]
        return socket.accept({"sid": recovered.first_id, "pid": connection.pid}, first=missed)

    async def _begin(self, connection: Connection, recovered: Recovered | None) -> None:
        """Join its rooms, tell the features, and say that it may begin."""
        caller = connection.caller
        if recovered is None:
            await self._or_cut(connection, self._enter_own(connection), "entering one's own rooms")
        # A session that ended after its token was checked, and before the connection stood in the session's room, was
        # looked for here in vain.
        await self._or_cut(connection, connection.gate.recheck(caller.session_id), "recheck of a session")
        if caller.connection_id not in self._connections:
            return
        connection.told = True
        await self._run(self._router.connected, caller, "connect hook")
        ready = SessionReady(
            user_id=caller.user_id,
            session_id=caller.session_id,
            connection_id=caller.connection_id,
            node_id=self._node_id,
            expires_at=from_ms(connection.expires_at_ms),
            recovered=recovered is not None,
        )
        connection.socket.emit(ready.event, to_wire(ready))
        connection.socket.begin()

    async def _enter_own(self, connection: Connection) -> None:
        caller = connection.caller
        if self._recovery is not None:
            own = [user_room(caller.user_id), session_room(caller.session_id)]
            ticket, ends_at_ms = connection.ticket, connection.expires_at_ms
            await self._recovery.open(connection.pid, caller, own, ticket=ticket, ends_at_ms=ends_at_ms)

    async def _or_cut(self, connection: Connection, step: Awaitable[None], what: str) -> None:
        """Close the connection if a step of it fails: its client comes back by itself."""
        try:
            await step
        except Exception as error:
            client_error(error, what)
            connection.cut()

    # ---------------------------------------------------------------- coming back

    async def _recover(self, connection: Connection, claim: Claim | None) -> Recovered | None:
        """Give a connection what the claim is of. ``None``: it begins anew. Raises what refuses it, or Unavailable."""
        if self._recovery is None or not self._recovers or not connection.socket.client.form.offsets:
            return None
        caller, connection.pid = connection.caller, new_id()
        if claim is None:
            return None
        await connection.gate.confirm(caller)
        ticket, ends_at_ms = connection.ticket, connection.expires_at_ms
        recovered = await self._recovery.resume(claim, caller, ticket=ticket, ends_at_ms=ends_at_ms)
        if recovered is None:
            connection.socket.forget_waiting()  # of rooms that it was in for a moment
            return None
        connection.told = True
        try:
            await self._restore(caller, recovered)
        except Exception as error:
            known = as_hub_error(error)
            if isinstance(known, Unavailable | Overloaded):
                raise
            if known is None:
                client_error(error, "restoring a connection")
            await self._run(self._router.disconnected, caller, "disconnect hook")
            connection.told = False
            await self._recovery.give_up(caller.connection_id)
            # It may be of a room that it must not be in, and would say by its offset that what was missed has come.
            connection.socket.forget_waiting()
            return None
        # Once more: a session that ended since the first look had its connections closed before this was one.
        await connection.gate.confirm(caller)
        connection.pid = claim.pid
        return recovered

    async def _restore(self, caller: Caller, recovered: Recovered) -> None:
        """Have the features know the rooms of a connection. Raises HubError if one of them is not to be had back."""
        for room in recovered.put_out:
            if room.partition(":")[0] not in self._router.put_out_quietly:
                raise Conflict(f"The connection was put out of {room}.")
        by_kind: dict[str, dict[str, bytes]] = {}
        for room, note in (*recovered.rooms.items(), *recovered.put_out.items()):
            kind, _, name = room.partition(":")
            by_kind.setdefault(kind, {})[name] = note
        for kind, rooms in by_kind.items():
            restore = self._router.restores.get(kind)
            if restore is not None:
                await restore(caller, rooms)
            elif kind not in OWN_ROOMS:
                raise Conflict(f"Rooms of the kind {kind} are joined anew.")

    # ---------------------------------------------------------------- going

    def gone(self, socket: Socket, reason: str) -> None:
        """A socket that was accepted is gone. It is in no room any more, and no event of it is started.

        The features have their say in the background, since whoever closes a connection must not wait for their Redis.
        """
        connection = self._connections.get(ConnectionId(socket.sid))
        if connection is not None:
            self._remove(connection)
            if connection.told and reason not in OURS:
                self._say_lost(connection.caller)
            self._under_way.begin()
            if connection.is_settled:
                self._leave_behind(connection, for_good=reason in FINAL)
            else:
                self._tasks.start(self._leave_behind_settled(connection, for_good=reason in FINAL), name="last events")

    def _say_lost(self, caller: Caller) -> None:
        for hook in self._router.lost:
            try:
                hook(caller)
            except Exception as error:  # a defect of a feature, which the others must not suffer from
                client_error(error, "hook for a lost connection")

    async def _leave_behind_settled(self, connection: Connection, *, for_good: bool) -> None:
        """After the last event, so that none brings back what a hook has taken away."""
        try:
            async with asyncio.timeout(LAST_EVENTS_S):
                await connection.settled(connection.engine.loop)
        except TimeoutError:
            log.warning("a connection has gone, and an event of it is still being handled")
        self._leave_behind(connection, for_good=for_good)

    def _leave_behind(self, connection: Connection, *, for_good: bool) -> None:
        """Tell the features, in its turn."""
        self._leaving.append((connection, for_good))
        if self._leavers < LEAVING_AT_ONCE:
            self._leavers += 1
            self._tasks.start(self._leave_in_turn(), name="disconnect hooks")

    async def _leave_in_turn(self) -> None:
        try:
            while self._leaving:
                connection, for_good = self._leaving.popleft()
                try:
                    if connection.told:
                        await self._run(self._router.disconnected, connection.caller, "disconnect hook")
                    await self._let_go(connection, for_good=for_good)
                finally:
                    self._under_way.end()
        finally:
            self._leavers -= 1

    async def _forget_early(self, connection: Connection) -> None:
        """A connection ends that nobody has been told of, unless it was restored."""
        if connection.caller.connection_id in self._connections:
            self._remove(connection)
            await self._run(self._router.disconnected, connection.caller, "disconnect hook")
            await self._let_go(connection, for_good=False)

    async def _let_go(self, connection: Connection, *, for_good: bool) -> None:
        if self._recovery is None:
            return
        rooms = [RoomName(room) for room in connection.socket.rooms]
        try:
            await self._recovery.lost(connection.caller.connection_id, rooms, for_good=for_good)
        except Exception as error:  # which must not keep those behind it from leaving
            client_error(error, "leaving a connection behind")

    def _add(self, connection: Connection) -> None:
        """Know a connection, before it is answered: what comes for it waits in its lobby."""
        connection.socket.owner = connection
        self._connections[connection.caller.connection_id] = connection
        self._of_user[connection.caller.user_id] += 1
        METRICS.connections += 1
        self._expiry.watch(connection)

    def _remove(self, connection: Connection) -> None:
        connection_id = connection.caller.connection_id
        del self._connections[connection_id]
        self._of_user[user_id := connection.caller.user_id] -= 1
        if not self._of_user[user_id]:
            del self._of_user[user_id]
        for earlier in connection.earlier:
            if self._earlier.get(earlier) == connection_id:
                del self._earlier[earlier]
        METRICS.connections -= 1
        self._expiry.forget(connection)
        connection.socket.owner = None  # a cycle, which the collector would find late

    async def _run(self, hooks: Iterable[Callable[[Caller], Awaitable[None]]], caller: Caller, what: str) -> None:
        for hook in hooks:
            try:
                await hook(caller)
            except Exception as error:
                client_error(error, what)


def _refuse(socket: Socket, error: Exception, where: str) -> None:
    """Answer CONNECT with an error, which ends an unmodified client's reconnecting; or, if it may try again, close."""
    known = client_error(error, where)
    if isinstance(known, Unavailable | Overloaded):
        socket.client.session.close(Reason.FORCED_CLOSE, CloseCode.GOING_AWAY)
        return
    refusal = known.to_wire()
    socket.refuse({"message": refusal.pop("message"), "data": refusal})

"""The namespace of the Socket.IO Admin UI: signing in, statistics, and commands.

The protocol is what npm's @socket.io/admin-ui 0.5.1 speaks, its server and its page; nothing else describes it. Beyond
it commands are acknowledged, ids of sessions are signed instead of kept, and a picture of all sockets is followed by
exactly the changes that are not in it, those on other nodes too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hub.kernel.clock import Clock, SystemClock
from hub.kernel.errors import HubError
from hub.kernel.operations import Peers
from hub.transport.engineio.meter import Meter
from hub.transport.engineio.request import Request
from hub.transport.engineio.session import CLOSING, WEBSOCKET, Reason
from hub.transport.socketio.admin import feed
from hub.transport.socketio.admin.audience import Admin, Audience
from hub.transport.socketio.admin.commands import Commands, WideRooms
from hub.transport.socketio.admin.feed import Feed
from hub.transport.socketio.admin.login import Auth, Login
from hub.transport.socketio.admin.neighbours import Neighbours, NoPeers
from hub.transport.socketio.socket import CONNECTED, PENDING, Socket

if TYPE_CHECKING:
    from hub.transport.socketio.server import SocketServer

log = logging.getLogger(__name__)

MODES: Final = ("development", "production")
REFUSAL_S: Final = 1.0
"""From wrong credentials to the answer. Until it comes the connection is good for no other try."""
INVALID: Final = {"message": "invalid credentials"}
"""In these words the page asks for others."""
NOT_FROM_HERE: Final = {"message": "the Admin UI is not open to this address"}
READ_ONLY: Final = "this Admin UI is read-only"
WATCHED_INTERVALS: Final = 4
"""Intervals of the statistics for which other nodes take it that admins watch, since they are told with each."""
COMMAND_FEATURES: Final = ("EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT")


@dataclass(frozen=True)
class AdminOptions:
    """How the Admin UI is served. Raises ValueError for what makes no sense."""

    namespace: str = "/admin"
    mode: str = "development"
    """In ``production`` there are statistics and commands, and nothing is told of single sockets."""
    read_only: bool = False
    server_id: str | None = None
    stats_interval_s: float = 2.0
    admits: Callable[[Request], bool] | None = None
    """Which requests may sign in at all."""
    details: Callable[[Socket], Mapping[str, Any]] | None = None
    """What is shown as the data of a connected socket. It must not raise."""
    peers: Peers | None = None
    """The other nodes, whose Admin UIs this one shows and acts by; each within its own mode and rights."""
    wide: WideRooms | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}")
        if not self.stats_interval_s > 0:
            raise ValueError("the interval of the statistics must be above 0")
        if not self.namespace.startswith("/") or self.namespace == "/":
            raise ValueError("the namespace must be one of its own, beginning with a slash")


class AdminNamespace:
    """Serves the Admin UI from ``start()`` to ``shutdown()``.

    Implements hub.transport.socketio.client.Endpoint and hub.transport.socketio.admin.neighbours.Host.
    """

    def __init__(
        self, server: SocketServer, auth: Auth | None, options: AdminOptions, clock: Clock | None = None
    ) -> None:
        clock = clock or SystemClock()
        self._server, self._options = server, options
        self._login = Login(auth, clock)
        self._audience = Audience(options.namespace)
        self._meter = Meter(clock)
        self._server_id = options.server_id or f"{platform.node()}#{os.getpid()}"
        is_development = options.mode == "development"
        self._neighbours = Neighbours(
            options.peers or NoPeers(),
            self,
            self._audience,
            self._server_id,
            for_s=WATCHED_INTERVALS * options.stats_interval_s,
            wants_changes=is_development,
        )
        self._feed: Feed | None = None
        if is_development:
            self._feed = Feed(server, self._audience, self._neighbours, clock, options.details)
            self._meter.upgraded = self._feed.upgraded
        self._commands = Commands(server, options.wide)
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        """Runs while there are admins, here or elsewhere."""
        self._started_at = time.monotonic()

    def start(self) -> None:
        """Serve the namespace, and begin to count."""
        self._neighbours.start()
        self._server.mount(self._options.namespace, self)
        self._server.engine.measure(self._meter)
        self._server.observe(self._feed)

    async def shutdown(self) -> None:
        """Put every admin out, and leave the server as it was."""
        self._server.observe(None)
        self._server.engine.measure(None)
        for task in self._tasks:
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._neighbours.close()
        for admin in list(self._audience.admins.values()):
            self._server.dismiss(admin.socket, Reason.SERVER_DISCONNECT)
        self._server.unmount(self._options.namespace)

    # ---------------------------------------------------------------- signing in

    def connect(self, socket: Socket, auth: Any) -> None:
        """See Endpoint."""
        self._begin(self._sign_in(socket, auth))

    def _begin(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._server.engine.spawn(coroutine)
        if not task.done():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _sign_in(self, socket: Socket, given: Any) -> None:
        request, admits = socket.client.request, self._options.admits
        if admits is not None and (request is None or not admits(request)):
            socket.refuse(NOT_FROM_HERE)
            return
        try:
            admitted = await self._login.admits(given)
        except Exception:
            log.exception("a login to the Admin UI could not be looked at")
            admitted = False
        if not admitted:
            log.warning(
                "a login to the Admin UI was refused, from %s", "nowhere" if request is None else request.address
            )
            socket.client.session.engine.loop.call_later(REFUSAL_S, self._refuse, socket)
        elif socket.accept():
            await self._welcome(socket, given)

    def _refuse(self, socket: Socket) -> None:
        if socket.state == PENDING:  # else its client has gone meanwhile
            socket.refuse(INVALID)

    async def _welcome(self, socket: Socket, given: Any) -> None:
        admin = self._audience.admins[socket.sid] = Admin(socket)
        if (session := self._login.session_for(given)) is not None:
            socket.emit("session", session)
        socket.emit("config", {"supportedFeatures": self._features()})
        socket.begin()
        await self._show([admin])
        socket.emit("server_stats", self._statistics([]))
        if self._timer is None:
            self._wait()

    async def _show(self, admins: list[Admin]) -> None:
        """Watch the other nodes, and show the sockets of all to these admins, none of whom waits for that yet."""
        if self._feed is None or not admins:
            await self._neighbours.watch()
            return
        for admin in admins:
            admin.waiting = []
        elsewhere = await self._neighbours.watch(feed.MAX_SOCKETS)
        picture = feed.merged([self._feed.picture(), *(one.sockets for one in elsewhere.values())])
        if len(admins) == len(self._audience):
            self._neighbours.caught_up(elsewhere)
        seen = {node: one.number for node, one in elsewhere.items()}
        for admin in admins:
            admin.show(picture, seen)

    def _features(self) -> list[str]:
        commands = () if self._options.read_only else COMMAND_FEATURES
        return [*commands, "AGGREGATED_EVENTS", *(["ALL_EVENTS"] if self._feed is not None else [])]

    def disconnected(self, socket: Socket, reason: str) -> None:
        """See Endpoint."""
        self._audience.admins.pop(socket.sid, None)

    # ---------------------------------------------------------------- commands

    def event_text(self, socket: Socket, text: bytearray, start: int, ack_id: int | None) -> bool:
        """See Endpoint. Operators click; nothing here is worth a shorter way."""
        return False

    def event(self, socket: Socket, name: str, arguments: list[Any], ack_id: int | None) -> None:
        """See Endpoint. Answered with how many sockets it was done to, or with what was wrong."""
        self._begin(self._answer(socket, name, arguments, ack_id))

    async def _answer(self, socket: Socket, name: str, arguments: list[Any], ack_id: int | None) -> None:
        answer: dict[str, Any]
        try:
            answer = await self._command(name, arguments)
        except (ValueError, TypeError, OverflowError) as error:  # TypeError: data that a receiver's parser cannot write
            answer = {"ok": False, "error": str(error)}
        except HubError as error:
            answer = {"ok": False, "error": error.message}
        if ack_id is not None:
            socket.acknowledge(ack_id, answer)

    async def _command(self, name: str, arguments: list[Any]) -> dict[str, Any]:
        done = await self.carry_out(name, arguments)
        if done is None:
            return {"ok": False, "error": READ_ONLY}
        if self._options.peers is None:
            return {"ok": True, "sockets": done}
        elsewhere, missing = await self._neighbours.carry_out_elsewhere(name, arguments)
        answer: dict[str, Any] = {"ok": not missing, "sockets": done + elsewhere, "missingNodes": missing}
        return answer if answer["ok"] else answer | {"error": "some nodes have not done it, or may not"}

    async def carry_out(self, name: str, arguments: list[Any]) -> int | None:
        """See Host."""
        return None if self._options.read_only else await self._commands.run(name, arguments)

    # ---------------------------------------------------------------- statistics

    def watched(self) -> None:
        """See Host."""
        if self._timer is None:
            self._wait()

    def sockets(self, most: int) -> list[dict[str, Any]]:
        """See Host."""
        return [] if self._feed is None else self._feed.picture(most)

    def _wait(self) -> None:
        self._timer = self._server.engine.loop.call_later(self._options.stats_interval_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if not self._audience and not self._neighbours.watchers(of_changes=False):
            return
        self._wait()
        is_behind = self._neighbours.is_behind
        if self._feed is not None and self._feed.is_behind:
            self._feed.is_behind, is_behind = False, True
            self._neighbours.tell_of_more()
        if self._audience:
            self._renew(list(self._audience.admins.values()), is_behind=is_behind)
        statistics = self._statistics(self._meter.take())
        self._audience.tell("server_stats", statistics)
        self._neighbours.tell_statistics(statistics)

    def _renew(self, admins: list[Admin], *, is_behind: bool) -> None:
        """Say to the other nodes that admins watch here, and show those admins all if they have missed something."""
        is_one_waiting = any(admin.waiting is not None for admin in admins)
        self._neighbours.is_behind = is_behind and is_one_waiting  # then all are shown the next time
        self._begin(self._show(admins if is_behind and not is_one_waiting else []))

    def _statistics(self, counted: list[dict[str, Any]]) -> dict[str, Any]:
        sessions = [session for session in self._server.engine.sessions.values() if session.state < CLOSING]
        return {
            "serverId": self._server_id,
            "hostname": platform.node(),
            "pid": os.getpid(),
            "uptime": round(time.monotonic() - self._started_at, 3),
            "clientsCount": len(sessions),
            "pollingClientsCount": sum(session.state < WEBSOCKET for session in sessions),
            "aggregatedEvents": counted,
            "namespaces": [self._count(name) for name in self._server.known_namespaces()],
        }

    def _count(self, namespace: str) -> dict[str, Any]:
        sockets = self._server.rooms_of(namespace).sockets.values()
        return {"name": namespace, "socketsCount": sum(socket.state == CONNECTED for socket in sockets)}

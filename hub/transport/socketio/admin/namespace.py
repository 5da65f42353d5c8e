"""The namespace of the Socket.IO Admin UI: signing in, statistics, and commands.

The protocol is what npm's @socket.io/admin-ui 0.5.1 speaks, its server and its page; nothing else describes it. Beyond
it commands are acknowledged, and ids of sessions are signed instead of kept.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hub.kernel.clock import Clock, SystemClock
from hub.transport.engineio.meter import Meter
from hub.transport.engineio.request import Request
from hub.transport.engineio.session import CLOSING, WEBSOCKET, Reason
from hub.transport.socketio.admin.commands import Commands
from hub.transport.socketio.admin.feed import Audience, Feed
from hub.transport.socketio.admin.login import Auth, Login
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

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}")
        if not self.stats_interval_s > 0:
            raise ValueError("the interval of the statistics must be above 0")
        if not self.namespace.startswith("/") or self.namespace == "/":
            raise ValueError("the namespace must be one of its own, beginning with a slash")


class AdminNamespace:
    """Serves the Admin UI from ``start()`` to ``shutdown()``. Implements hub.transport.socketio.client.Endpoint."""

    def __init__(
        self, server: SocketServer, auth: Auth | None, options: AdminOptions, clock: Clock | None = None
    ) -> None:
        clock = clock or SystemClock()
        self._server, self._options = server, options
        self._login = Login(auth, clock)
        self._audience = Audience(options.namespace)
        self._meter = Meter(clock)
        self._feed: Feed | None = None
        if options.mode == "development":
            self._feed = Feed(server, self._audience, clock, options.details)
            self._meter.upgraded = self._feed.upgraded
        self._commands = Commands(server)
        self._signing_in: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        """Runs while there is an admin."""
        self._started_at = time.monotonic()
        self._server_id = options.server_id or f"{platform.node()}#{os.getpid()}"

    def start(self) -> None:
        """Serve the namespace, and begin to count."""
        self._server.mount(self._options.namespace, self)
        self._server.engine.measure(self._meter)
        self._server.observe(self._feed)

    async def shutdown(self) -> None:
        """Put every admin out, and leave the server as it was."""
        self._server.observe(None)
        self._server.engine.measure(None)
        for task in self._signing_in:
            task.cancel()
        for socket in list(self._audience.sockets.values()):
            self._server.dismiss(socket, Reason.SERVER_DISCONNECT)
        self._server.unmount(self._options.namespace)

    # ---------------------------------------------------------------- signing in

    def connect(self, socket: Socket, auth: Any) -> None:
        """See Endpoint."""
        task = socket.client.session.engine.spawn(self._sign_in(socket, auth))
        if not task.done():
            self._signing_in.add(task)
            task.add_done_callback(self._signing_in.discard)

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
            self._welcome(socket, given)
            socket.begin()

    def _refuse(self, socket: Socket) -> None:
        if socket.state == PENDING:  # else its client has gone meanwhile
            socket.refuse(INVALID)

    def _welcome(self, socket: Socket, given: Any) -> None:
        self._audience.sockets[socket.sid] = socket
        if (session := self._login.session_for(given)) is not None:
            socket.emit("session", session)
        socket.emit("config", {"supportedFeatures": self._features()})
        if self._feed is not None:
            socket.emit("all_sockets", self._feed.picture())
        socket.emit("server_stats", self._statistics([]))
        if self._timer is None:
            self._wait()

    def _features(self) -> list[str]:
        commands = () if self._options.read_only else COMMAND_FEATURES
        return [*commands, "AGGREGATED_EVENTS", *(["ALL_EVENTS"] if self._feed is not None else [])]

    def disconnected(self, socket: Socket, reason: str) -> None:
        """See Endpoint."""
        self._audience.sockets.pop(socket.sid, None)
        if not self._audience and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---------------------------------------------------------------- commands

    def event_text(self, socket: Socket, text: bytearray, start: int, ack_id: int | None) -> bool:
        """See Endpoint. Operators click; nothing here is worth a shorter way."""
        return False

    def event(self, socket: Socket, name: str, arguments: list[Any], ack_id: int | None) -> None:
        """See Endpoint. Answered with how many sockets it was done to, or with what was wrong."""
        answer: dict[str, Any]
        if self._options.read_only:
            answer = {"ok": False, "error": "this Admin UI is read-only"}
        else:
            try:
                answer = {"ok": True, "sockets": self._commands.run(name, arguments)}
            except (ValueError, TypeError) as error:  # the second: data that the parser of a receiver cannot write
                answer = {"ok": False, "error": str(error)}
        if ack_id is not None:
            socket.acknowledge(ack_id, answer)

    # ---------------------------------------------------------------- statistics

    def _wait(self) -> None:
        self._timer = self._server.engine.loop.call_later(self._options.stats_interval_s, self._tick)

    def _tick(self) -> None:
        self._wait()
        if self._feed is not None:
            self._feed.catch_up()
        self._audience.tell("server_stats", self._statistics(self._meter.take()))

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

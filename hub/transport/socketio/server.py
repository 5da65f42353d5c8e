"""A Socket.IO server: python-socketio's API over our engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from socketio.exceptions import TimeoutError as AnswerTimeoutError

from hub.kernel.ids import NodeTag
from hub.kernel.operations import Peers
from hub.transport.engineio.engine import Engine
from hub.transport.engineio.outbox import Volatile
from hub.transport.engineio.request import Request
from hub.transport.engineio.session import Reason, Receiver, Session
from hub.transport.engineio.settings import EngineSettings
from hub.transport.engineio.websocket import CloseCode
from hub.transport.seams import ApiServer
from hub.transport.socketio.admin.commands import WideRooms
from hub.transport.socketio.admin.login import Auth
from hub.transport.socketio.admin.namespace import AdminNamespace, AdminOptions
from hub.transport.socketio.client import Client, Endpoint
from hub.transport.socketio.codecs import FORMS, JSON, MSGPACK, Codec
from hub.transport.socketio.handlers import REJECTED, HandlerEndpoint
from hub.transport.socketio.manager import RoomManager
from hub.transport.socketio.observer import Observer
from hub.transport.socketio.offsets import takes_offsets
from hub.transport.socketio.questions import Answers, ask, ask_and_wait, ask_each
from hub.transport.socketio.rooms import Packets, Rooms
from hub.transport.socketio.socket import PENDING, Socket

PATHS = {"/socket.io/": JSON, "/socket.io-msgpack/": MSGPACK}
"""Where each parser is served."""


class VolatilePackets(Packets):
    """An event that is dropped for who does not keep up."""

    __slots__ = ()

    def _shape(self, framed: bytes, _codec: Codec) -> bytes:
        return Volatile(framed)


class SocketServer(ApiServer):
    """Handlers, Namespace classes, ``emit``, ``call``, rooms and sessions are python-socketio's, documented there.

    Every namespace that is served by handlers works as it says; ``mount`` gives one to an endpoint of ours instead.
    Beyond it: volatile emits, and broadcasts that are acknowledged.
    """

    def __init__(
        self,
        settings: EngineSettings | None = None,
        paths: dict[str, Codec] | None = None,
        *,
        node: NodeTag | None = None,
    ) -> None:
        self.engine = Engine(settings or EngineSettings(), {}, node=node)
        self._rooms: dict[str, Rooms] = {"/": Rooms("/")}
        self._mounted: dict[str, Endpoint] = {}
        self._prefixes: dict[str, Endpoint] = {}
        self._broadcasts = 0
        self.observer: Observer | None = None
        self.leaving: dict[str, Socket] = {}
        """Sockets whose disconnect handler runs: it may still ask for what was kept with them."""
        super().__init__(self, RoomManager())
        self._handlers = HandlerEndpoint(self)
        for path, codec in (PATHS if paths is None else paths).items():
            self.engine.endpoints[path] = self._accept(codec)

    def _accept(self, codec: Codec) -> Any:
        def accept(session: Session, request: Request) -> Receiver:
            return Client(session, request, FORMS[codec, takes_offsets(request)], self)

        return accept

    # ---------------------------------------------------------------- namespaces

    def mount(self, namespace: str, endpoint: Endpoint) -> None:
        """Serve a namespace by ``endpoint``, past all handlers."""
        self._mounted[namespace] = endpoint

    def mount_prefix(self, prefix: str, endpoint: Endpoint) -> None:
        """Serve every namespace whose name begins so by ``endpoint``."""
        self._prefixes[prefix] = endpoint

    def unmount(self, namespace: str) -> None:
        """Serve a namespace by handlers again, or not at all."""
        del self._mounted[namespace]

    def endpoint(self, namespace: str) -> Endpoint | None:
        """See Namespaces."""
        mounted = self._mounted.get(namespace)
        if mounted is not None:
            return mounted
        for prefix, endpoint in self._prefixes.items():
            if namespace.startswith(prefix):
                return endpoint
        return self._handlers if self.serves(namespace) else None

    def rooms_of(self, namespace: str) -> Rooms:
        """See Namespaces."""
        rooms = self._rooms.get(namespace)
        if rooms is None:
            rooms = self._rooms[namespace] = Rooms(namespace)
            rooms.observer = self.observer
        return rooms

    def forget(self, socket: Socket) -> None:
        """See Namespaces."""
        rooms = self.rooms_of(socket.namespace)
        rooms.remove(socket)
        if not rooms.sockets and socket.namespace != "/":
            del self._rooms[socket.namespace]

    def connected_namespaces(self) -> list[str]:
        """Namespaces with sockets."""
        return [namespace for namespace, rooms in self._rooms.items() if rooms.sockets]

    def known_namespaces(self) -> list[str]:
        """Namespaces that are served by name, or that have sockets."""
        return sorted({*self._mounted, *self.registered(), *self.connected_namespaces()})

    # ---------------------------------------------------------------- watching

    def observe(self, observer: Observer | None) -> None:
        """Tell ``observer`` what happens in every namespace from now on; ``None``: nobody."""
        self.observer = observer
        for rooms in self._rooms.values():
            rooms.observer = observer

    def instrument(
        self,
        auth: Auth | None = None,
        mode: str = "development",
        read_only: bool = False,
        server_id: str | None = None,
        namespace: str = "/admin",
        server_stats_interval: float = 2,
        *,
        admits: Callable[[Request], bool] | None = None,
        details: Callable[[Socket], Mapping[str, Any]] | None = None,
        peers: Peers | None = None,
        wide: WideRooms | None = None,
    ) -> AdminNamespace:
        """Serve the Socket.IO Admin UI; what this returns has ``shutdown()``. See python-socketio for the first six.

        ``admits`` says which requests may sign in at all, ``details`` what is shown as the data of a socket. ``peers``
        are other nodes to show, by whose ids ``server_id`` must be this one's, and ``wide`` rooms that go over them.
        Raises ValueError for arguments that make no sense, RuntimeError if the server is instrumented already.
        """
        if self.engine.meter is not None:
            raise RuntimeError("the server is instrumented already")
        options = AdminOptions(
            namespace=namespace,
            mode=mode,
            read_only=read_only,
            server_id=server_id,
            stats_interval_s=server_stats_interval,
            admits=admits,
            details=details,
            peers=peers,
            wide=wide,
        )
        admin = AdminNamespace(self, auth, options)
        admin.start()
        return admin

    # ---------------------------------------------------------------- sending

    async def emit(
        self,
        event: str,
        data: Any = None,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: str | None = None,
        callback: Any = None,
        ignore_queue: bool = False,
        volatile: bool = False,
    ) -> None:
        """See python-socketio. ``volatile``: dropped for receivers that do not keep up, instead of cutting them.

        It does not wait: what is sent leaves at the end of the loop's turn, in the order of the calls. Raises
        ValueError for a ``callback`` if the event is not for one client; :meth:`broadcast` gets the answers of many.
        """
        namespace, target = namespace or "/", to or room
        arguments = _arguments(event, data)
        if callback is not None:
            if (socket := self._only(namespace, target)) is not None:
                ask(socket, arguments, self._handlers.answer_to(socket, callback))
            return
        packets = VolatilePackets if volatile else Packets
        self._send(namespace, target, packets(namespace, arguments), skip_sid)

    async def call(
        self,
        event: str,
        data: Any = None,
        to: str | None = None,
        sid: str | None = None,
        namespace: str | None = None,
        timeout: float | None = 60,  # noqa: ASYNC109 # as python-socketio has it
        ignore_queue: bool = False,
    ) -> Any:
        """See python-socketio. A client that has gone is waited for like one that does not answer.

        Raises ValueError for rooms, and TimeoutError of socketio.exceptions.
        """
        socket = self._only(namespace or "/", to or sid)
        try:
            answer = await ask_and_wait(socket, _arguments(event, data), timeout)
        except TimeoutError:
            raise AnswerTimeoutError from None
        return tuple(answer) if len(answer) > 1 else answer[0] if answer else None

    def _only(self, namespace: str, target: Any) -> Socket | None:
        """The socket whose id ``target`` is; ``None`` if that has gone. Raises ValueError for rooms and for all."""
        rooms = self.rooms_of(namespace)
        socket = rooms.sockets.get(target) if isinstance(target, str) else None
        if socket is None and (not isinstance(target, str) or rooms.count(target)):
            raise ValueError(f"an acknowledgement is asked of one client, by its sid, and not of {target!r}")
        return socket

    def _send(self, namespace: str, target: Any, packets: Packets, skip_sid: Any = None) -> None:
        rooms = target if isinstance(target, list | tuple | set) else [target]
        self.engine.start()
        self.rooms_of(namespace).send(self.engine.outboxes, rooms, packets, _ids(skip_sid))

    async def broadcast(
        self,
        event: str,
        data: Any = None,
        *,
        room: str | list[str] | None = None,
        timeout_s: float,
        skip_sid: Any = None,
        namespace: str = "/",
    ) -> Answers:
        """Send an event that every receiver is to acknowledge, and wait for that, at most ``timeout_s``.

        One frame goes to all, so they share its acknowledgement id. Who leaves meanwhile is missing.
        """
        rooms, skip = self.rooms_of(namespace), _ids(skip_sid)
        targets = room if isinstance(room, list) else [room]
        sockets = {one.sid: one for name in targets for one in rooms.members(name) if one.sid not in skip}
        self._broadcasts += 1
        ack_id = BROADCAST_IDS + self._broadcasts
        packets = Packets(namespace, _arguments(event, data), ack_id)
        return await ask_each(sockets, ack_id, lambda: self._send(namespace, list(sockets), packets), timeout_s)

    # ---------------------------------------------------------------- ending

    async def disconnect(self, sid: str, namespace: str | None = None, ignore_queue: bool = False) -> None:
        """See python-socketio: the socket leaves its namespace, and its client is told so."""
        if (socket := self.rooms_of(namespace or "/").sockets.get(sid)) is not None:
            self.dismiss(socket, Reason.SERVER_DISCONNECT)

    def dismiss(self, socket: Socket, reason: str) -> None:
        """Put a socket out of its namespace, and tell its client and its endpoint.

        One whose CONNECT is still being looked at is refused, and ended by whoever looks at it.
        """
        if socket.state == PENDING:
            socket.refuse(REJECTED)
            return
        endpoint = self.endpoint(socket.namespace)
        socket.dismiss()
        if endpoint is not None:
            endpoint.disconnected(socket, reason)
        if self.observer is not None:
            self.observer.disconnected(socket, reason)

    # ---------------------------------------------------------------- for python-socketio, by session

    def transport_of(self, eio_sid: str) -> str:
        """See EngineApi."""
        return "websocket" if self._session(eio_sid).connection is not None else "polling"

    def data_of(self, eio_sid: str) -> dict[str, Any]:
        """See EngineApi."""
        session = self._session(eio_sid)
        if session.data is None:
            session.data = {}
        return session.data

    def _session(self, eio_sid: str) -> Session:
        session = self.engine.sessions.get(eio_sid)
        if session is not None:
            return session
        for socket in self.leaving.values():
            if socket.client.session.sid == eio_sid:
                return socket.client.session
        raise KeyError(eio_sid)

    def end(self, eio_sid: str) -> None:
        """See EngineApi."""
        if (session := self.engine.sessions.get(eio_sid)) is not None:
            session.close(Reason.SERVER_DISCONNECT, CloseCode.NORMAL)


BROADCAST_IDS = 1 << 40
"""Acknowledgement ids of broadcasts begin here, far above those that each socket counts for itself."""


def _arguments(event: str, data: Any) -> list[Any]:
    """What an event is sent with: of a tuple, each item is an argument of its own."""
    return [event, *data] if isinstance(data, tuple) else [event] if data is None else [event, data]


def _ids(skip: Iterable[str] | str | None) -> Collection[str]:
    if skip is None:
        return ()
    return (skip,) if isinstance(skip, str) else frozenset(skip)

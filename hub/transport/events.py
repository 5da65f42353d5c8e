"""Events of this node's connections: within limits, in their order, each answered once."""

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from hub.kernel.errors import InvalidPayload, RateLimited
from hub.kernel.events import EventRoute, EventRouter, ReadText, Reply, acknowledgement
from hub.kernel.limits import UNLIMITED
from hub.kernel.ports import Limits
from hub.kernel.scope import SCOPE
from hub.kernel.tasks import Tasks
from hub.kernel.text_form import is_written_as_text
from hub.kernel.wire import ServerEvent
from hub.transport.connection import Connection, Turn, UnderWay
from hub.transport.outages import client_error
from hub.transport.socket_metrics import METRICS
from hub.transport.socketio.codecs import JSON
from hub.transport.socketio.packets import HALF_CHARACTER, ack_of_text
from hub.transport.socketio.server import SocketServer
from hub.transport.socketio.socket import Socket

ARRAY_END = ord("]")


class EventFailed(ServerEvent):
    """An event that asked for no acknowledgement failed. ``error`` is what the acknowledgement would have carried."""

    event = "hub:error"
    failed: str = msgspec.field(name="event")
    error: dict[str, Any]


class Event:
    """An event that is being handled."""

    __slots__ = ("ack_id", "connection", "name", "turn")

    def __init__(self, connection: Connection, name: str, ack_id: int | None) -> None:
        self.connection = connection
        self.name = name
        self.ack_id = ack_id
        self.turn: Turn | None = None

    def scope(self) -> Mapping[str, str]:
        """See hub.kernel.scope."""
        caller = self.connection.caller
        return {"connection_id": caller.connection_id, "user_id": caller.user_id, "event_name": self.name[:40]}


class Events:
    """Serves the events of a router."""

    def __init__(self, server: SocketServer, tasks: Tasks, under_way: UnderWay) -> None:
        """``under_way`` counts those that are being handled."""
        self._server = server
        self._tasks = tasks
        self._under_way = under_way
        self._router = EventRouter()
        self._limits: Limits = UNLIMITED
        self._by_text: dict[bytes, tuple[EventRoute, ReadText]] = {}
        """Those of its routes that read text, by the text that such an event begins with."""

    def serve(self, router: EventRouter, limits: Limits) -> None:
        """Serve the events of ``router``, as often as ``limits`` allow."""
        self._router, self._limits = router, limits
        self._by_text = {
            b'["%b",{' % name.encode(): (route, route.read_text)
            for name, route in router.routes.items()
            if route.read_text is not None
        }

    def event(self, socket: Socket, name: str, arguments: list[Any], ack_id: int | None) -> None:
        """See hub.transport.socketio.client.Endpoint."""
        connection: Connection | None = socket.owner
        if connection is None or connection.leaves:
            return
        event = Event(connection, name, ack_id)
        if self._is_over_limit(event):
            return
        try:
            if len(arguments) > 1:
                raise InvalidPayload("An event takes one payload.", errors=[])
            data = arguments[0] if arguments else {}
            if data is HALF_CHARACTER:
                raise InvalidPayload("Text must not have half of a character (a lone surrogate).", errors=[])
            route, payload = self._router.prepare(name, data)
        except Exception as error:
            self._finish(event, error, None)
        else:
            self._serve(event, route, payload)

    def event_text(self, socket: Socket, text: bytearray, start: int, ack_id: int | None) -> bool:
        """See hub.transport.socketio.client.Endpoint.

        Takes ``["name",{…}]`` of known events whose payload fits, as clients write it. The rest, all that is wrong
        among it, goes the longer way.
        """
        connection: Connection | None = socket.owner
        stop = text.find(b'"', start + 2)
        found = self._by_text.get(bytes(text[start : stop + 3]))
        if found is None or text[-1] != ARRAY_END or connection is None or connection.leaves or self._server.observer:
            return False
        route, read = found
        try:
            payload = read(bytes(text[stop + 2 : -1]))
        except (msgspec.MsgspecError, RecursionError):
            return False
        event = Event(connection, route.name, ack_id)
        if not self._is_over_limit(event):
            self._serve(event, route, payload)
        return True

    def _is_over_limit(self, event: Event) -> bool:
        """Take one from the allowances of an event's sender, or refuse it at once, whatever is under way before it."""
        connection = event.connection
        wait = self._limits.wait(event.name, connection.caller.user_id, connection.source)
        if wait:
            self._finish(event, RateLimited(retry_after=wait), None)
        return wait > 0

    def _serve(self, event: Event, route: EventRoute, payload: msgspec.Struct) -> None:
        """Have an event served, now or, if others with its key are under way, after them.

        Where the handler is a coroutine, it is the task: with a coroutine around it for each thing that is done before
        and after, an event would take half as long again.
        """
        connection = event.connection
        if not route.automatic:
            connection.active_s = time.monotonic()
        outside = SCOPE.set(event.scope)
        try:
            if route.order is not None and connection.turns and (key := route.order(payload)) in connection.turns:
                event.turn = connection.in_order(key)
                waiting = event.turn.then(route.handler, connection.caller, payload)
            else:
                answer = route.handler(connection.caller, payload)
                if answer is None or isinstance(answer, msgspec.Struct):
                    self._finish(event, None, answer)
                    return
                waiting = answer
                if route.order is not None:
                    event.turn = connection.in_order(route.order(payload))
            connection.socket.client.begin()
            self._under_way.begin()
            connection.begin()
            task = connection.engine.spawn(waiting)
        except Exception as error:  # of a plain handler: nothing has begun
            self._finish(event, error, None)
            return
        finally:
            SCOPE.reset(outside)
        if task.done():
            self._handled(event, task)
        else:
            self._tasks.adopt(task, name="event", ended=partial(self._handled, event))

    def _handled(self, event: Event, task: asyncio.Task[Any]) -> None:
        connection = event.connection
        if event.turn is not None:
            event.turn.end()
        if not task.cancelled():
            self._finish(event, task.exception(), None if task.exception() else task.result())
        connection.socket.client.end()
        connection.end()
        self._under_way.end()

    def _finish(self, event: Event, error: BaseException | None, reply: Reply) -> None:
        """Acknowledge an event, or say that it failed, and count it."""
        socket, name = event.connection.socket, event.name
        failed = None if error is None else self._failed(event, error)
        if failed is None and event.ack_id is not None:
            try:
                acknowledge(socket, event.ack_id, reply)
            except Exception as unfit:  # a reply that is no wire value: a bug of ours
                failed = self._failed(event, unfit)
        if failed is None:
            METRICS.events[name, "ok"] += 1
            return
        METRICS.events[name if name in self._router.routes else "(unknown)", failed["code"]] += 1
        if event.ack_id is not None:
            socket.acknowledge(event.ack_id, {"ok": False, "error": failed})
        else:
            socket.emit(EventFailed.event, {"event": name[:80], "error": failed})

    def _failed(self, event: Event, error: BaseException) -> dict[str, Any]:
        """What the client is told of an event that failed."""
        outside = SCOPE.set(event.scope)
        try:
            return client_error(error, event.name).to_wire()
        finally:
            SCOPE.reset(outside)


def acknowledge(socket: Socket, ack_id: int, reply: Reply) -> None:
    """Answer an event that was served."""
    if socket.client.codec is JSON and (reply is None or is_written_as_text(type(reply))):
        text = b"{}" if reply is None else msgspec.json.encode(reply)
        socket.send(ack_of_text(ack_id, b'{"ok":true,"data":%b}' % text))
    else:
        socket.acknowledge(ack_id, {"ok": True, "data": acknowledgement(reply)})

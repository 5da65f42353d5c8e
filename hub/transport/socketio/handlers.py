"""Namespaces that are served by the handlers and Namespace classes of python-socketio's API."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from socketio.exceptions import ConnectionRefusedError as SocketRefusedError

from hub.transport.engineio.request import Environ
from hub.transport.engineio.session import Reason
from hub.transport.socketio.socket import PENDING, Answer, Socket

if TYPE_CHECKING:
    from hub.transport.socketio.server import SocketServer

log = logging.getLogger(__name__)

REJECTED = {"message": "Connection rejected by server"}
FAILED = {"message": "Internal error"}


class HandlerEndpoint:
    """Runs an application's handlers. Implements hub.transport.socketio.client.Endpoint.

    Events of one client start in the order they came; each handler that is a coroutine function runs in a task of its
    own, whose first step is taken at once.
    """

    def __init__(self, server: SocketServer) -> None:
        self._server = server
        self._running: set[asyncio.Task[Any]] = set()
        self._is_coroutine: dict[Callable[..., Any], bool] = {}
        """Of each handler: ``inspect`` takes a microsecond to tell."""

    def connect(self, socket: Socket, auth: Any) -> None:
        """See Endpoint."""
        socket.client.begin()
        self._start(socket, self._connect(socket, auth), "connect")

    async def _connect(self, socket: Socket, auth: Any) -> None:
        try:
            if socket.state == PENDING:  # else it has gone before this was begun
                await self._decide(socket, auth)
        finally:
            socket.client.end()

    async def _decide(self, socket: Socket, auth: Any) -> None:
        environ = self._environ(socket)
        try:
            accepted = await self._server.trigger("connect", socket.namespace, socket.sid, environ, auth)
        except SocketRefusedError as refused:
            self._refuse(socket, refused.error_args)
        except ConnectionRefusedError:
            self._refuse(socket, REJECTED)
        except Exception:
            self._refuse(socket, FAILED)
            raise
        else:
            if accepted is False:
                self._refuse(socket, REJECTED)
            elif socket.accept():
                socket.begin()
            else:  # gone meanwhile: the connect handler has run, so its counterpart must
                await self._disconnect(socket, Reason.TRANSPORT_CLOSE)

    def _environ(self, socket: Socket) -> Environ | None:
        """The request of the socket's session, which its namespaces share; ``None`` if it was not kept."""
        environs, sid, request = self._server.environ, socket.client.session.sid, socket.client.request
        if sid not in environs and request is not None:
            environs[sid] = Environ(request)
        environ: Environ | None = environs.get(sid)
        return environ

    def _refuse(self, socket: Socket, error: Any) -> None:
        socket.refuse(error)
        self._forget_environ(socket)

    def event(self, socket: Socket, name: str, arguments: list[Any], ack_id: int | None) -> None:
        """See Endpoint."""
        handler = self._server.handler_of(name, socket.namespace)
        if handler is None:  # a catch-all, a Namespace class, or nobody
            result = self._server.trigger(name, socket.namespace, socket.sid, *arguments)
        else:
            try:
                result = handler(socket.sid, *arguments)
            except Exception:
                log.exception("the handler of %s failed", name[:80])
                return
            if not self._needs_task(handler):
                self._acknowledge(socket, ack_id, name, result)
                return
        task = socket.client.session.engine.spawn(result)
        if task.done():
            self._handled(socket, ack_id, name, task)
            return
        socket.client.begin()
        self._running.add(task)

        def handled(ended: asyncio.Task[Any]) -> None:
            socket.client.end()
            self._handled(socket, ack_id, name, ended)

        task.add_done_callback(handled)

    def event_text(self, socket: Socket, text: bytearray, start: int, ack_id: int | None) -> bool:
        """See Endpoint. A handler takes any plain values."""
        return False

    def _handled(self, socket: Socket, ack_id: int | None, name: str, task: asyncio.Task[Any]) -> None:
        self._ended(task, name)
        if not task.cancelled() and task.exception() is None and self._server.was_handled(task.result()):
            self._acknowledge(socket, ack_id, name, task.result())

    def _needs_task(self, handler: Callable[..., Any]) -> bool:
        known = self._is_coroutine.get(handler)
        if known is None:
            known = self._is_coroutine[handler] = inspect.iscoroutinefunction(handler)
        return known

    def _acknowledge(self, socket: Socket, ack_id: int | None, name: str, result: Any) -> None:
        if ack_id is None:
            return
        arguments = () if result is None else result if isinstance(result, tuple) else (result,)
        try:
            socket.acknowledge(ack_id, *arguments)
        except Exception:
            log.exception("what the handler of %s returned cannot be sent", name[:80])

    def answer_to(self, socket: Socket, callback: Callable[..., Any]) -> Answer:
        """A function or coroutine function of the application, as a socket calls it with an acknowledgement.

        The arguments are the client's choice, so they may not suit it.
        """

        def answer(arguments: list[Any]) -> None:
            try:
                result = callback(*arguments)
            except Exception:
                log.exception("the callback of an acknowledgement failed")
                return
            if inspect.iscoroutine(result):
                self._start(socket, result, "an acknowledgement")

        return answer

    def disconnected(self, socket: Socket, reason: str) -> None:
        """See Endpoint."""
        self._start(socket, self._disconnect(socket, reason), "disconnect")

    async def _disconnect(self, socket: Socket, reason: str) -> None:
        self._server.leaving[socket.sid] = socket
        try:
            await self._server.trigger("disconnect", socket.namespace, socket.sid, reason)
        finally:
            del self._server.leaving[socket.sid]
            self._forget_environ(socket)

    def _forget_environ(self, socket: Socket) -> None:
        if not socket.client.sockets():
            self._server.environ.pop(socket.client.session.sid, None)

    def _start(self, socket: Socket, coroutine: Coroutine[Any, Any, None], what: str) -> None:
        task = socket.client.session.engine.spawn(coroutine)
        if task.done():
            self._ended(task, what)
        else:
            self._running.add(task)
            task.add_done_callback(lambda ended: self._ended(ended, what))

    def _ended(self, task: asyncio.Task[Any], what: str) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the handler of %s failed", what[:80], exc_info=error)

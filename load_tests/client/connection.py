"""One Socket.IO connection, over WebSocket: requests with their acknowledgements, and events in the order they came.

Everything here waits by the standard library's threads, which Locust has turned into greenlets before users run.
"""

import contextlib
import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any, Protocol

import engineio
import socketio
import websocket

from load_tests.measures.faults import ConnectionLost, Refused, Unacknowledged

SOCKET_OPTIONS = {"skip_utf8_validation": True}
"""Of websocket-client, which validates in Python, character by character: a quarter of a worker's CPU. Each text is
decoded afterwards anyhow."""


DISCONNECT = "1"
"""The Socket.IO packet by which a server ends a connection for good."""

Acknowledged = Future[dict[str, Any]]
"""An acknowledgement that may still come."""

log = logging.getLogger(__name__)


class Listener(Protocol):
    """Whose connection it is. Its methods must not wait: the next packet is read when they return."""

    def received(self, event: str, payload: Any) -> None:
        """An event came."""
        ...

    def lost(self, connection: "Connection", reason: str) -> None:
        """An open connection has ended, and it was not `Connection.close` that ended it."""
        ...


class Connection:
    """Opened once. After its end, the user opens another."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._client = socketio.Client(reconnection=False, handle_sigint=False, websocket_extra_options=SOCKET_OPTIONS)
        _handle_in_order(self._client.eio)
        self._client.on("*", self._received)
        self._client.on("connect_error", self._refused)
        self._client.on("disconnect", self._ended)
        self._ready: Future[dict[str, Any]] = Future()
        self._acknowledgements: set[Acknowledged] = set()
        self._refusal: Refused | None = None
        self._sending = threading.Lock()  # an event with binary parts is several packets
        self._ending = threading.Lock()
        self._connects = False
        self.ended = False

    def open(self, url: str, auth: dict[str, str], within_s: float) -> dict[str, Any]:
        """Connect with ``auth``, which is this connection's own; the payload of ``session:ready``.

        Raises Refused, with code ``unreachable`` or ``not_ready`` if nothing or not all of it came.
        """
        try:
            _aside(lambda: self._connect(url, auth, within_s))
            return self._ready.result(within_s)
        except socketio.exceptions.ConnectionError as error:
            raise (self._refusal or _refusal_behind(error)) from None
        except (TimeoutError, ConnectionLost):
            raise Refused("not_ready", temporary=True) from None
        finally:
            if not self._ready.done() or self._ready.exception() is not None:  # also if the user is stopped meanwhile
                self.close()

    def close(self) -> None:
        """End it. Nothing more is heard of it."""
        with self._ending:
            self.ended, connects = True, self._connects
        self._finish("closed")
        if not connects:
            _aside(self._client.disconnect)

    def send(self, event: str, payload: object) -> Acknowledged:
        """Send an event and do not wait. The result is for `answer`, which raises what goes wrong."""
        acknowledged: Acknowledged = Future()
        self._acknowledgements.add(acknowledged)
        try:
            with self._sending:
                self._client.emit(event, payload, callback=lambda answer=None: _settle(acknowledged, answer))
        except socketio.exceptions.BadNamespaceError:
            acknowledged.set_exception(ConnectionLost("not connected"))
        return acknowledged

    def answer(self, acknowledged: Acknowledged, within_s: float) -> Any:
        """The data of the acknowledgement. Raises Refused, Unacknowledged or ConnectionLost."""
        try:
            answer = acknowledged.result(within_s)
        except TimeoutError:
            raise Unacknowledged(within_s) from None
        finally:
            self._acknowledgements.discard(acknowledged)
        if not answer["ok"]:
            raise Refused.by_acknowledgement(answer["error"])
        return answer["data"]

    def _connect(self, url: str, auth: dict[str, str], within_s: float) -> None:
        self._connects = True  # python-engineio cannot disconnect in the middle of it
        try:
            self._client.connect(url, auth=auth, transports=["websocket"], wait_timeout=within_s)
        finally:
            with self._ending:
                self._connects, given_up = False, self.ended
            if given_up:
                self._client.disconnect()

    def _received(self, event: str, payload: Any = None) -> None:
        if event == "session:ready":
            _settle(self._ready, payload)
        self._listener.received(event, payload)

    def _refused(self, refusal: Any = None) -> None:
        if isinstance(refusal, dict) and isinstance(refusal.get("data"), dict):
            self._refusal = Refused.by_acknowledgement(refusal["data"])

    def _ended(self, reason: str) -> None:
        with self._ending:  # a DISCONNECT packet and the end of its transport come as two
            if self.ended:
                return
            self.ended = True
        was_open = self._ready.done()
        self._finish(reason)
        if was_open:
            self._client.eio.ws.shutdown()  # python-engineio leaves the socket to the garbage collector
            self._listener.lost(self, reason)

    def _finish(self, reason: str) -> None:
        for waiting in (self._ready, *self._acknowledgements):
            with contextlib.suppress(InvalidStateError):
                waiting.set_exception(ConnectionLost(reason))


def _handle_in_order(engine: engineio.Client) -> None:
    """Have each message handled before the next is read; stock python-engineio starts a thread for each.

    That keeps events in order by construction, and takes a fifth less CPU.
    """
    start = engine.start_background_task

    def handle_or_start(target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        # A DISCONNECT packet is left to a thread: handling it waits for the reader to end.
        if target is not engine.handlers.get("message") or args == (DISCONNECT,):
            return start(target, *args, **kwargs)
        try:
            target(*args, **kwargs)
        except Exception:
            log.exception("a message could not be handled; ending the connection: %.200r", args)
            start(engine.disconnect)
        return None

    engine.start_background_task = handle_or_start


def _aside(work: Callable[[], None]) -> None:
    """Do ``work`` in a thread of its own, and wait for it.

    Locust stops a user by an exception in the user's greenlet, wherever that is. websocket-client has bare ``except``
    clauses around its closing handshake: there the exception would be lost, and the user would go on for ever.
    """
    done: Future[None] = Future()

    def run() -> None:
        try:
            work()
            done.set_result(None)
        except Exception as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    done.result()


def _settle(future: Future[Any], value: Any) -> None:
    with contextlib.suppress(InvalidStateError):  # it was given up
        future.set_result(value)


def _refusal_behind(error: BaseException) -> Refused:
    """Why python-socketio could not connect: an HTTP answer instead of a WebSocket, or nobody there."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, websocket.WebSocketBadStatusException):
            headers = {name.lower(): value for name, value in (cause.resp_headers or {}).items()}
            problem = None
            with contextlib.suppress(ValueError):
                problem = json.loads(cause.resp_body or b"null")
            return Refused.by_status(cause.status_code, problem, headers.get("retry-after"))
        cause = cause.__cause__ or cause.__context__
    return Refused("unreachable", temporary=True)

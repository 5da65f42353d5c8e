"""Every private name of other packages that the transport uses; tests/architecture holds each of them down.

The versions are pinned. A new one is looked at here first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import socketio

log = logging.getLogger(__name__)

# ---------------------------------------------------------------- aiohttp: masks of WebSocket frames


def _xor_mask_slow(mask: bytes, data: bytearray) -> None:
    """RFC 6455, section 5.3, in place. Three times slower than the loop in C."""
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    data[:] = (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


try:
    from aiohttp._websocket.mask import _websocket_mask_cython
except ImportError:  # a build of aiohttp without its extensions
    _websocket_mask_cython = _xor_mask_slow
xor_mask: Callable[[bytes, bytearray], None] = _websocket_mask_cython
"""Masks or unmasks in place: the masking key of four bytes, the payload."""


# ---------------------------------------------------------------- python-socketio: the API without its engine


class EngineApi(Protocol):
    """What python-socketio asks of a session by its id."""

    def transport_of(self, eio_sid: str) -> str:
        """``polling`` or ``websocket``. Raises KeyError."""
        ...

    def data_of(self, eio_sid: str) -> dict[str, Any]:
        """What handlers keep with a session. Raises KeyError."""
        ...

    def end(self, eio_sid: str) -> None:
        """Close a session, if there is one."""
        ...


class _Engine:
    """Stands in for engineio.AsyncServer: the methods that socketio.AsyncServer calls."""

    async_mode = "aiohttp"

    def __init__(self, api: EngineApi) -> None:
        self._api = api

    def on(self, event: str, handler: Callable[..., Any]) -> None:
        """BaseServer registers its ``_handle_eio_*`` here. Our engine calls our own code instead."""

    def transport(self, eio_sid: str) -> str:
        return self._api.transport_of(eio_sid)

    async def get_session(self, eio_sid: str) -> dict[str, Any]:
        return self._api.data_of(eio_sid)

    async def disconnect(self, eio_sid: str) -> None:
        self._api.end(eio_sid)

    async def shutdown(self) -> None:
        """The engine is stopped by whoever started it."""

    def create_event(self) -> asyncio.Event:
        return asyncio.Event()

    def start_background_task(
        self, target: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **kwargs: Any
    ) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(target(*args, **kwargs))

    async def sleep(self, seconds: float = 0) -> None:
        await asyncio.sleep(seconds)


class ApiServer(socketio.AsyncServer):
    """python-socketio's server as an API: handlers, namespaces, sessions. No byte passes through it.

    What comes from clients never reaches its ``_handle_*`` methods: they would run the application's own connect
    handler, with arguments of the client's choice, for an event of that name.
    """

    def __init__(self, api: EngineApi, manager: socketio.AsyncManager) -> None:
        self._engine_api = api
        super().__init__(client_manager=manager, logger=log)
        manager.initialize()
        self.manager_initialized = True

    def _engineio_server_class(self) -> Callable[..., _Engine]:
        return lambda **_: _Engine(self._engine_api)

    async def trigger(self, event: str, namespace: str, *arguments: Any) -> Any:
        """Run the handler of an event, whatever kind it is: a function, a catch-all, a method of a Namespace."""
        return await self._trigger_event(event, namespace, *arguments)

    def handler_of(self, event: str, namespace: str) -> Callable[..., Any] | None:
        """The function that handles just this event, if there is one."""
        handlers: dict[str, Callable[..., Any]] = self.handlers.get(namespace, {})
        return handlers.get(event)

    def was_handled(self, result: Any) -> bool:
        """Whether :meth:`trigger` found a handler."""
        return result is not self.not_handled

    def serves(self, namespace: str) -> bool:
        """Whether anything was registered for this namespace."""
        return (
            namespace in self.handlers
            or namespace in self.namespace_handlers
            or "*" in self.handlers
            or "*" in self.namespace_handlers
        )

    def registered(self) -> set[str]:
        """The namespaces that something was registered for by name."""
        return {*self.handlers, *self.namespace_handlers} - {"*"}

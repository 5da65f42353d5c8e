"""What the page of the Socket.IO Admin UI does, by python-socketio's unmodified client."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import socketio

from tests.support.wait import until

ADMIN = "/admin"
LOGIN = {"username": "ada", "password": "correct horse battery"}
ALL_COMMANDS = ["EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT"]


class AdminClient:
    """A signed-in admin. `received` is all that it was told: event and arguments, in the order they came."""

    def __init__(self) -> None:
        self.io = socketio.AsyncClient(reconnection=False)
        self.received: list[tuple[Any, ...]] = []
        self.io.on("*", self._keep, namespace=ADMIN)

    async def _keep(self, event: str, *arguments: Any) -> None:
        self.received.append((event, *arguments))

    def all(self, event: str) -> list[tuple[Any, ...]]:
        """The arguments of every such event so far."""
        return [told[1:] for told in self.received if told[0] == event]

    async def told(self, event: str, where: Callable[..., Any] = lambda *_: True) -> tuple[Any, ...]:
        """The arguments of the first such event, come or still to come."""

        def found() -> list[tuple[Any, ...]]:
            return [arguments for arguments in self.all(event) if where(*arguments)]

        return (await until(found, 5))[0]

    async def command(self, name: str, *arguments: Any) -> dict[str, Any]:
        """Do something, and give the answer."""
        answer: dict[str, Any] = await self.io.call(name, arguments, namespace=ADMIN, timeout=5)
        return answer


@contextlib.asynccontextmanager
async def admin_client(
    url: str, login: Any = None, *, transports: tuple[str, ...] = ("websocket",), headers: dict[str, str] | None = None
) -> AsyncIterator[AdminClient]:
    """Sign in, and wait for what the page waits for. Raises socketio's ConnectionError for a refused login."""
    admin = AdminClient()
    try:
        await admin.io.connect(
            url,
            auth=LOGIN if login is None else login,
            namespaces=[ADMIN],
            transports=list(transports),
            headers=headers or {},
            wait_timeout=10,
        )
        await admin.told("server_stats")
        yield admin
    finally:
        await admin.io.shutdown()


def numbers(admin: AdminClient) -> dict[str, Any]:
    """The newest statistics."""
    newest: dict[str, Any] = admin.all("server_stats")[-1][0]
    return newest


def counted(admin: AdminClient, type: str) -> int:
    """How often something was counted in all statistics so far."""
    events = [event for (stats,) in admin.all("server_stats") for event in stats["aggregatedEvents"]]
    return sum(event["count"] for event in events if event["type"] == type)

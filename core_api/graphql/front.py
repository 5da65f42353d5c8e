"""Where a node meets GraphQL: the routes, and what makes the rest of it at the first request.

Strawberry and the schema take most of a second to import. A node that is never asked must not pay for them, and one
that is asked must not stand still meanwhile.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from core_api.graphql.ports import Explain, Services
from core_api.graphql.settings import GraphQLSettings
from hub.kernel.clock import Clock
from hub.kernel.limited import Limited
from hub.kernel.ports import Authenticator

if TYPE_CHECKING:
    from core_api.graphql.endpoint import Endpoint, Identify

PATH = "/graphql"


class Front:
    """The address ``/graphql``. ``make`` runs in a thread."""

    def __init__(self, make: "Callable[[], Endpoint]") -> None:
        self._make = make
        self._making = asyncio.Lock()
        self._endpoint: Endpoint | None = None

    def add_routes(self, app: web.Application) -> None:
        """Serve it, and close its connections when the application stops."""
        app.router.add_post(PATH, self._post)
        app.router.add_get(PATH, self._get, allow_head=False)
        app.on_shutdown.append(self._close)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        return await (await self._made()).post(request)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        """WebSocket only: a query by GET would end up in logs and caches, and run from any page's image."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise web.HTTPMethodNotAllowed("GET", ["POST"])
        return await (await self._made()).connect(request)

    async def _close(self, _app: web.Application) -> None:
        if self._endpoint is not None:
            await self._endpoint.close()

    async def _made(self) -> "Endpoint":
        if self._endpoint is None:
            async with self._making:
                if self._endpoint is None:
                    self._endpoint = await asyncio.to_thread(self._make)
        return self._endpoint


def graphql_front(
    services: Services,
    identify: "Identify",
    authenticator: Authenticator,
    explain: Explain,
    clock: Clock,
    settings: GraphQLSettings,
    limited: Limited,
) -> Front:
    """GraphQL over these services. ``identify`` reads the headers of a request as REST does."""

    def make() -> "Endpoint":
        from core_api.graphql.endpoint import Endpoint  # noqa: PLC0415 - see above
        from core_api.graphql.executor import Executor  # noqa: PLC0415
        from core_api.graphql.faults import Faults  # noqa: PLC0415

        executor = Executor(services, settings, Faults(explain), limited)
        return Endpoint(executor, identify, authenticator, clock, settings, limited)

    return Front(make)

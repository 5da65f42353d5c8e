"""The HTTP application of a node: REST, health and metrics, the descriptions of the wire, the page, Socket.IO."""

import logging
from collections.abc import Callable, Iterable

from aiohttp import web

from hub.kernel.http import RestApi
from hub.kernel.ports import Answers, Authenticator, Limits, StaffRoles
from hub.transport import docs_page, middleware, rest, static_files
from hub.transport.front import Doorkeeper
from hub.transport.health import Health
from hub.transport.polling import PollingRoutes

Mount = Callable[[web.Application], None]
"""Adds routes that are no REST operations, as those of GraphQL."""


def application(
    apis: Iterable[RestApi],
    health: Health,
    door: Doorkeeper,
    authenticator: Authenticator,
    answers: Answers,
    limits: Limits,
    *,
    documents: docs_page.Documents,
    staff: StaffRoles | None = None,
    mounts: Iterable[Mount] = (),
    connects: Iterable[str] = (),
) -> web.Application:
    """The application, with every route. ``documents`` makes the files served at the root; ``mounts`` add the rest.

    ``connects`` are the URLs of other servers that the page may connect to.
    """
    logging.getLogger("aiohttp.server").addFilter(middleware.NO_CLIENT_FAULTS)
    app = web.Application(
        middlewares=[middleware.scope, middleware.peers, middleware.origins(door.origins)],
        client_max_size=rest.MAX_BODY_BYTES,
    )
    health.add_routes(app)
    docs_page.add_routes(app, documents)
    rest.add_endpoints(app, apis, authenticator, answers, limits, staff)
    static_files.add_routes(app, connects=connects)
    for mount in mounts:
        mount(app)
    PollingRoutes(door).add_routes(app)
    return app

"""The HTTP application of a node: REST, health and metrics, the descriptions of the wire, Socket.IO beside them."""

from collections.abc import Iterable, Mapping

from aiohttp import web

from hub.kernel.http import RestApi
from hub.kernel.ports import Answers, Authenticator
from hub.transport import docs_page, middleware, rest
from hub.transport.health import Health
from hub.transport.socketio_server import Endpoint, HubSocketServer

JSON_PATH = "socket.io"
MSGPACK_PATH = "socket.io-msgpack"


def application(
    apis: Iterable[RestApi],
    health: Health,
    sockets: Endpoint,
    authenticator: Authenticator,
    answers: Answers,
    *,
    origins: Iterable[str],
    documents: Mapping[str, str],
) -> web.Application:
    """The application, with every route. ``documents`` are the JSON files served at the root, by name."""
    allowed = frozenset(origins)
    app = web.Application(
        middlewares=[middleware.scope, middleware.origins(allowed)], client_max_size=rest.MAX_BODY_BYTES
    )
    health.add_routes(app)
    docs_page.add_routes(app, documents)
    rest.add_endpoints(app, apis, authenticator, answers)
    # The middleware has checked the origin, against a list that python-socketio need not know.
    for path, serializer in ((JSON_PATH, "default"), (MSGPACK_PATH, "msgpack")):
        server = HubSocketServer(sockets, serializer=serializer, origins=sorted(allowed))
        server.attach(app, socketio_path=path)
        app.on_shutdown.append(server.stop)
    return app

"""What every request goes through."""

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import REGISTRY

from hub.transport import middleware


async def test_a_request_that_only_says_it_would_become_a_connection_is_measured_and_a_connection_is_not() -> None:
    async def plain(_request: web.Request) -> web.Response:
        return web.Response()

    async def connection(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close()
        return socket

    app = web.Application(middlewares=[middleware.scope])
    app.router.add_get("/plain-or-not", plain)
    app.router.add_get("/connection", connection)
    async with TestClient(TestServer(app)) as client:
        for headers in ({}, {"Upgrade": "websocket"}):
            assert (await client.get("/plain-or-not", headers=headers)).status == 200
        async with client.ws_connect("/connection") as socket:
            await socket.receive()
    assert _measured("/plain-or-not", 200) == 2
    assert _measured("/connection", 101) is None


def _measured(route: str, status: int) -> float | None:
    labels = {"method": "GET", "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("hub_http_request_seconds_count", labels)

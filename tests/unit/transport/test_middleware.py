"""What every request goes through."""

import socket

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import REGISTRY

from hub.transport import middleware
from tests.support.socket_server import bind_dual_stack


async def test_a_request_that_only_says_it_would_become_a_connection_is_measured_and_a_connection_is_not() -> None:
    async def plain(_request: web.Request) -> web.Response:
        return web.Response()

    async def connection(request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        await answer.close()
        return answer

    app = web.Application(middlewares=[middleware.scope])
    app.router.add_get("/plain-or-not", plain)
    app.router.add_get("/connection", connection)
    async with TestClient(TestServer(app)) as client:
        for headers in ({}, {"Upgrade": "websocket"}):
            assert (await client.get("/plain-or-not", headers=headers)).status == 200
        async with client.ws_connect("/connection") as websocket:
            await websocket.receive()
    assert _measured("/plain-or-not", 200) == 2
    assert _measured("/connection", 101) is None


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
async def test_a_handler_sees_an_ipv4_address_as_such_on_a_socket_of_both_families() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.remote} {request.match_info['word']} {await request.text()}")

    async def connection(request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        await answer.send_str(request.remote or "")
        await answer.close()
        return answer

    app = web.Application(middlewares=[middleware.scope, middleware.peers])
    app.router.add_post("/echo/{word}", echo)
    app.router.add_get("/connection", connection)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, bind_dual_stack()).start()
    port = runner.addresses[0][1]
    try:
        async with aiohttp.ClientSession() as client:
            for address in ("127.0.0.1", "[::1]"):
                async with client.post(f"http://{address}:{port}/echo/a-word", data="a body") as response:
                    assert await response.text() == f"{address.strip('[]')} a-word a body"
                async with client.ws_connect(f"http://{address}:{port}/connection") as websocket:
                    assert await websocket.receive_str() == address.strip("[]")
    finally:
        await runner.cleanup()


def _measured(route: str, status: int) -> float | None:
    labels = {"method": "GET", "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("hub_http_request_seconds_count", labels)

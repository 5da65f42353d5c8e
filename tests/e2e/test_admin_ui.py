"""The Socket.IO Admin UI's page, as far as it is npm's unmodified socket.io-client, against our server alone."""

from typing import Any

from hub.transport.socketio.server import SocketServer
from tests.e2e.conftest import run_script
from tests.support.admin_client import LOGIN
from tests.support.socket_server import listening


async def test_the_page_signs_in_watches_and_commands_over_both_parsers(npm_clients: None) -> None:
    server = SocketServer()

    async def say(_sid: str, data: Any) -> None:
        await server.emit("said", data)

    server.on("say", say)
    server.instrument(auth=LOGIN, server_stats_interval=0.2)
    async with listening(server) as port:
        report = await run_script("admin", url=f"http://127.0.0.1:{port}", login=LOGIN)

    assert report["refused"] == "invalid credentials"
    assert "ALL_EVENTS" in report["config"]["supportedFeatures"]
    assert report["again"] == report["config"]
    assert [socket["nsp"] for socket in report["sockets"]] == ["/admin"]
    assert [one["name"] for one in report["stats"]["namespaces"]] == ["/", "/admin"]
    for watched in (report["watched"], report["packed"]):
        sid = watched["id"]
        assert (watched["connected"]["transport"], watched["connected"]["nsp"]) == ("polling", "/")
        assert watched["updated"] == {"id": sid, "nsp": "/", "transport": "websocket"}
        assert watched["received"][:3] == ["/", sid, ["say", {"n": 1}]]
        assert watched["sent"][:3] == ["/", sid, ["said", {"n": 1}]]
        assert watched["order"] == 7
        assert watched["joined"][:3] == watched["left"][:3] == ["/", "lobby", sid]
        assert watched["disconnected"][:3] == ["/", sid, "server disconnect"]
        assert watched["ended"] == "io server disconnect"

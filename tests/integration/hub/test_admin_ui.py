"""The Admin UI of a hub: off by default; on, it shows the hub's connections and nothing that is secret."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import orjson
import pytest
from socketio.exceptions import ConnectionError as RefusedError

from hub.app import build
from hub.config import ConfigError, load
from hub.storage.postgres import create_pool
from hub.storage.redis import connect
from tests.support.admin_client import ADMIN, AdminClient, admin_client
from tests.support.hub import RunningHub, running_hub, settings
from tests.support.socket_client import socket_client

PASSWORD = "correct horse battery staple"
LOGIN = {"username": "root", "password": PASSWORD}


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    path.chmod(0o600)
    return path


@contextlib.asynccontextmanager
async def hub_with_ui(database_url: str, redis_url: str, password_file: Path, **more: str) -> AsyncIterator[RunningHub]:
    chosen = {
        "SPARKLE_ADMIN_UI_USER": "root",
        "SPARKLE_ADMIN_UI_PASSWORD_FILE": str(password_file),
        "SPARKLE_ORIGINS": "https://admin.socket.io",
        **{f"SPARKLE_ADMIN_UI_{name.upper()}": value for name, value in more.items()},
    }
    async with running_hub(settings(database_url, redis_url, chosen)) as running:
        yield running


async def test_there_is_none_by_default(node: RunningHub) -> None:
    admin = AdminClient()
    refusals: list[object] = []
    admin.io.on("connect_error", refusals.append, namespace=ADMIN)
    with pytest.raises(RefusedError):
        await admin.io.connect(node.url, auth=LOGIN, namespaces=[ADMIN], transports=["websocket"])
    assert refusals == [{"message": "Invalid namespace"}]
    await admin.io.shutdown()


async def test_by_default_it_counts_and_shows_nothing_of_what_people_do(
    database_url: str, redis_url: str, password_file: Path
) -> None:
    async with hub_with_ui(database_url, redis_url, password_file) as node:
        ada = await node.sign_up("ada")
        async with admin_client(node.url, LOGIN) as admin:
            assert admin.all("config") == [({"supportedFeatures": ["AGGREGATED_EVENTS"]},)]
            async with socket_client(node.url, ada["accessToken"]) as socket:
                await socket.ok("presence:update", "away")
                assert (await admin.command("_disconnect", "/", True))["ok"] is False
                assert socket.connected
                (stats,) = await admin.told(
                    "server_stats", lambda stats: {"name": "/", "socketsCount": 1} in stats["namespaces"]
                )
                assert (stats["serverId"], stats["clientsCount"]) == (node.hub.node_id, 2)
            assert {told[0] for told in admin.received} == {"session", "config", "server_stats"}


async def test_in_development_mode_the_connections_are_shown_with_their_users(
    database_url: str, redis_url: str, password_file: Path
) -> None:
    chosen = {"mode": "development", "read_only": "false"}
    async with hub_with_ui(database_url, redis_url, password_file, **chosen) as node:
        ada = await node.sign_up("ada")
        token, user_id = ada["accessToken"], ada["user"]["id"]
        async with admin_client(node.url, LOGIN) as admin, socket_client(node.url, token) as socket:
            shown, _ = await admin.told("socket_connected", lambda shown, _: shown["nsp"] == "/")
            assert shown["data"] == {"userId": user_id}
            assert shown["handshake"]["address"] == "127.0.0.1"
            await admin.told("room_joined", lambda _n, room, *_: room == f"user:{user_id}")
            await admin.told("event_sent", lambda _n, _id, arguments, _: arguments[0] == "session:ready")
            await socket.ok("presence:update", "away")
            received = await admin.told("event_received", lambda _n, id_, *_: id_ == shown["id"])
            assert received[2] == ["presence:update", "away"]

            async with admin_client(node.url, LOGIN) as later:  # by now the hub has dropped the request
                ((sockets,),) = later.all("all_sockets")
                (same,) = [one for one in sockets if one["nsp"] == "/"]
                assert (same["data"], same["handshake"]["address"]) == ({"userId": user_id}, "127.0.0.1")
                assert set(same["rooms"]) >= {f"user:{user_id}", shown["id"]}

            assert (await admin.command("_disconnect", "/", True, shown["id"]))["sockets"] == 1
            await admin.told("socket_disconnected", lambda _n, id_, *_: id_ == shown["id"])
            told = orjson.dumps(admin.received).decode()
            assert token not in told
            assert PASSWORD not in told


async def test_a_page_of_a_foreign_origin_is_turned_away_at_the_door(
    database_url: str, redis_url: str, password_file: Path
) -> None:
    async with hub_with_ui(database_url, redis_url, password_file) as node:
        async with admin_client(node.url, LOGIN, headers={"Origin": "https://admin.socket.io"}) as admin:
            assert admin.all("config")
        headers = {"Origin": "https://admin.socket.io.example"}
        async with aiohttp.ClientSession(f"{node.url}/socket.io/", headers=headers) as http:
            async with http.get("?EIO=4&transport=polling") as response:
                assert response.status == 403
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect("?EIO=4&transport=websocket")
            assert refused.value.status == 403


async def test_a_password_file_that_cannot_be_used_keeps_the_hub_from_starting(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    chosen = load(
        {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SPARKLE_DATA": str(tmp_path),
            "SPARKLE_ADMIN_UI_PASSWORD_FILE": str(tmp_path / "missing"),
        }
    )
    redis = connect(redis_url, size=2)
    with pytest.raises(ConfigError, match=r"SPARKLE_ADMIN_UI_PASSWORD_FILE: .* cannot be read"):
        build(chosen, pool=create_pool(database_url, size=2), redis=redis)
    await redis.aclose()

"""A whole node inside the test's own process, on real servers: for what must be looked at from both sides."""

import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from core_api.accounts.signing_key import SigningKey, new_key
from hub.app import build
from hub.cluster.servers import link_to_any, servers_of
from hub.config import Settings, load
from hub.lifecycle import Hub
from hub.storage.postgres import create_pool
from hub.storage.redis import connect
from hub.transport.front import HEAD_BYTES
from tests.support.socket_server import bind_dual_stack

CHEAP = {
    "SPARKLE_MEDIA_SERVERS": "0",  # importing aiortc takes a second
    "SPARKLE_ACCOUNTS_ARGON2_MEMORY_KIB": "8",
    "SPARKLE_ACCOUNTS_ARGON2_PASSES": "1",
    "SPARKLE_ACCOUNTS_SIGN_UPS_PER_MINUTE": "10000",
    "SPARKLE_ACCOUNTS_SIGN_INS_PER_MINUTE": "10000",
    "SPARKLE_GATE_CONNECTS_PER_MINUTE": "10000",
    "SPARKLE_LIMITS_OVERRIDES": "*=1000000/100000",
}
"""Settings of every hub in tests: passwords that cost nothing, and no limit that a test would meet by accident."""
PASSWORD = "correct horse battery staple"


@dataclass
class RunningHub:
    """A node that listens, and a client for its REST side."""

    hub: Hub
    url: str
    http: aiohttp.ClientSession

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    async def sign_up(self, name: str) -> dict[str, Any]:
        """The answer of a sign-up: ``user``, ``accessToken``, …"""
        body = {"email": f"{name}@example.org", "username": name, "password": PASSWORD}
        async with self.http.post(f"{self.url}/api/v1/auth/signup", json=body) as response:
            assert response.status == 201, await response.text()
            answer: dict[str, Any] = await response.json()
            return answer


def settings(database_url: str, redis_url: str, more: Mapping[str, str] | None = None) -> Settings:
    """Settings of a hub in a test."""
    return load({"DATABASE_URL": database_url, "REDIS_URL": redis_url, **CHEAP, **(more or {})})


@contextlib.asynccontextmanager
async def running_hub(
    chosen: Settings, *, dual_stack: bool = False, key: SigningKey | None = None
) -> AsyncIterator[RunningHub]:
    """Start a node on a free port, and stop it in good order.

    ``dual_stack``: as with `SPARKLE_HOST=::`. ``key``: that of all nodes that are to take each other's tokens.
    """
    assert chosen.database_url is not None
    assert chosen.redis_url is not None
    pool = create_pool(chosen.database_url, size=5)
    redis = connect(chosen.redis_url, size=20, open_link=link_to_any(servers_of(chosen.redis_url)))
    await pool
    hub = build(chosen, pool=pool, redis=redis, key=key or new_key())
    runner = web.AppRunner(hub.web, access_log=None, shutdown_timeout=1, max_line_size=HEAD_BYTES)
    await runner.setup()
    listening = bind_dual_stack() if dual_stack else socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = await hub.door.listen(runner, listening)
    hub.listens(shared_port=port, own_port=port)
    try:
        await hub.start()
        async with aiohttp.ClientSession() as http:
            yield RunningHub(hub, f"http://127.0.0.1:{port}", http)
    finally:
        await hub.drain()
        server.close()
        await runner.cleanup()
        await hub.close()
        await redis.aclose()
        await pool.close()

"""Tokens that run out on live connections of a node, by every transport, with clients by hand and unmodified ones."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import socketio

from tests.support.engineio_client import polling_session, signed_in_socket
from tests.support.hub import RunningHub, running_hub, settings
from tests.support.socket_client import socket_client
from tests.support.wait import until

LIFE_S = 3
"""Of a token. Its connection is told after the half, within a second, and closed within a second after the end."""


@pytest.fixture
async def hasty(database_url: str, redis_url: str) -> AsyncIterator[RunningHub]:
    more = {"SPARKLE_ACCOUNTS_ACCESS_TOKEN_S": str(LIFE_S)}
    async with running_hub(settings(database_url, redis_url, more)) as running:
        yield running


async def refreshed(hub: RunningHub, signed_in: dict[str, Any]) -> dict[str, Any]:
    """The answer of a refresh."""
    body = {"refreshToken": signed_in["refreshToken"]}
    async with hub.http.post(f"{hub.url}/api/v1/auth/refresh", json=body) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        return answer


async def test_a_websocket_is_told_and_then_closed_with_a_code_of_its_own_and_no_disconnect_packet(
    hasty: RunningHub,
) -> None:
    signed_in = await hasty.sign_up("ada")
    async with signed_in_socket(hasty, signed_in["accessToken"]) as socket:
        assert signed_in["accessTokenExpiresAt"] in await socket.packet('42["session:expiring"')
        rest = []
        while (message := await socket._websocket.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT:
            rest.append(message.data)
        assert (socket._websocket.close_code, [one for one in rest if one != "2"]) == (4001, [])
    await until(lambda: len(hasty.hub.sockets) == 0)


async def test_long_polling_is_told_and_then_ended_without_a_disconnect_packet(hasty: RunningHub) -> None:
    token = (await hasty.sign_up("ada"))["accessToken"]
    session = await polling_session(hasty)
    assert await session.connect(token) == 200
    await session.packet('42["session:expiring"')
    with pytest.raises(AssertionError, match="closed"):
        await session.packet("41")
    await until(lambda: len(hasty.hub.sockets) == 0)


async def test_an_unmodified_client_comes_back_by_itself_with_a_fresh_token(hasty: RunningHub) -> None:
    signed_in = await hasty.sign_up("ada")
    ready: list[dict[str, Any]] = []

    async def auth() -> dict[str, Any]:
        nonlocal signed_in
        signed_in = await refreshed(hasty, signed_in)
        return {"token": signed_in["accessToken"]}

    client = socketio.AsyncClient(reconnection_delay=0.1, randomization_factor=0)
    client.on("session:ready", ready.append)
    try:
        await client.connect(hasty.url, auth=auth, transports=["websocket"], wait_timeout=10)
        await until(lambda: len(ready) >= 2, 3 * LIFE_S)
    finally:
        await client.shutdown()
    assert ready[0]["connectionId"] != ready[1]["connectionId"]
    assert ready[0]["sessionId"] == ready[1]["sessionId"]


async def test_a_connection_that_refreshes_outlives_its_first_token(hasty: RunningHub) -> None:
    signed_in = await hasty.sign_up("ada")
    async with socket_client(hasty.url, signed_in["accessToken"]) as client:
        for _ in range(2):
            told = await client.expect("session:expiring")
            assert told == {"expiresAt": signed_in["accessTokenExpiresAt"]}
            signed_in = await refreshed(hasty, signed_in)
            answer = await client.ok("auth:refresh", {"token": signed_in["accessToken"]})
            assert answer == {"expiresAt": signed_in["accessTokenExpiresAt"]}
        assert client.connected
        assert await client.ok("presence:get", {"userIds": []}) == {"users": []}


async def test_the_token_of_another_session_extends_nothing(hasty: RunningHub) -> None:
    signed_in = await hasty.sign_up("ada")
    other = await hasty.sign_up("bob")
    async with socket_client(hasty.url, signed_in["accessToken"]) as client:
        assert (await client.refused("auth:refresh", {"token": other["accessToken"]}))["code"] == "forbidden"
        await until(lambda: not client.connected, 2 * LIFE_S)


async def test_a_connection_that_is_gone_is_kept_by_no_deadline(hasty: RunningHub) -> None:
    signed_in = await hasty.sign_up("ada")
    slots = hasty.hub.sockets._expiry._wheel._slots
    async with signed_in_socket(hasty, signed_in["accessToken"]):
        assert sum(map(len, slots)) == 1
    await until(lambda: not any(slots), LIFE_S / 3)  # long before it would have come

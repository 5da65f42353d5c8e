"""Engine.IO protocol 4, "Handshake": how a session is opened, over either transport, and which requests open none."""

import json
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest

from tests.support.bare_server import MAX_PAYLOAD, BareServer
from tests.support.raw_client import Client
from tests.support.raw_engineio import ENGINE_PATH, SOCKET_PATH, Handshake, Session

at_both_paths = pytest.mark.parametrize("path", [ENGINE_PATH, SOCKET_PATH])
POLLING = {"EIO": "4", "transport": "polling"}
WEBSOCKET = {"EIO": "4", "transport": "websocket"}
UNKNOWN_SID = "AAAAAAAAAAAAAAAAAAAA"


def target(query: Mapping[str, str], path: str = ENGINE_PATH) -> str:
    """A request target; what is empty in the query is left out."""
    return f"{path}?{urlencode({name: value for name, value in query.items() if value})}"


@at_both_paths
async def test_the_open_packet_says_everything_a_client_needs(
    client: Client, server: BareServer, transport: str, path: str
) -> None:
    session = await client.session(transport, path)
    fields = session.handshake.fields
    sid = fields.pop("sid")
    assert isinstance(sid, str)
    assert len(sid) >= 16, "a session id is a secret: 96 bits at least"
    assert fields == {
        "upgrades": ["websocket"] if transport == "polling" else [],
        "pingInterval": server.pace.ping_interval_ms,
        "pingTimeout": server.pace.ping_timeout_ms,
        "maxPayload": MAX_PAYLOAD,
    }


async def test_each_session_has_an_id_of_its_own(client: Client, transport: str) -> None:
    sids = [(await client.session(transport)).handshake.sid for _ in range(20)]
    assert len(set(sids)) == 20


async def test_the_open_packet_is_text_and_not_kept_in_caches(client: Client) -> None:
    response = await client.request("GET", target(POLLING))
    assert response.headers["content-type"].lower() == "text/plain; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "query",
    [
        "transport=polling&EIO=4",
        "EIO=4&transport=polling&t=N8hyd6w",
        "a=1&EIO=4&a=2&transport=polling&b",
        "EIO=%34&transport=p%6flling",
    ],
)
async def test_the_query_may_have_other_parameters_in_any_order(client: Client, query: str) -> None:
    response = await client.request("GET", f"{ENGINE_PATH}?{query}")
    assert response.status == 200
    Handshake.of(response.text)
    await client.raw_websocket(
        f"{ENGINE_PATH}?{query.replace('p%6flling', 'websocket').replace('polling', 'websocket')}"
    )


@at_both_paths
@pytest.mark.parametrize("version", ["", "abc", "3", "5", "44", "4.1"])
async def test_another_version_of_the_protocol_is_refused(client: Client, path: str, version: str) -> None:
    response = await client.request("GET", target(POLLING | {"EIO": version}, path))
    assert response.status == 400
    assert await client.refuses_websocket(target(WEBSOCKET | {"EIO": version}, path))


@at_both_paths
@pytest.mark.parametrize("transport", ["", "abc", "Polling", "polling2", "webtransport"])
async def test_an_unknown_transport_is_refused(client: Client, path: str, transport: str) -> None:
    query = target({"EIO": "4", "transport": transport}, path)
    assert (await client.request("GET", query)).status == 400
    assert await client.refuses_websocket(query)


@at_both_paths
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_only_get_opens_a_session(client: Client, path: str, method: str) -> None:
    assert (await client.request(method, target(POLLING, path), b"4hello")).status == 400


@at_both_paths
async def test_a_websocket_without_its_handshake_is_refused(client: Client, path: str) -> None:
    assert (await client.request("GET", target(WEBSOCKET, path))).status == 400


async def test_a_handshake_for_polling_opens_no_websocket(client: Client) -> None:
    assert await client.refuses_websocket(target(POLLING))


@at_both_paths
@pytest.mark.parametrize("sid", [UNKNOWN_SID, "x", "%00", "__proto__", "x" * 1_000], ids=lambda sid: sid[:12])
async def test_an_unknown_session_is_refused(client: Client, path: str, sid: str) -> None:
    polling, websocket = target(POLLING | {"sid": sid}, path), target(WEBSOCKET | {"sid": sid}, path)
    assert (await client.request("GET", polling)).status == 400
    assert (await client.request("POST", polling, b"4hello")).status == 400
    assert await client.refuses_websocket(websocket)


@pytest.mark.parametrize(
    ("method", "query", "code", "message"),
    [
        ("GET", {"EIO": "4", "transport": "abc"}, 0, "Transport unknown"),
        ("GET", POLLING | {"sid": UNKNOWN_SID}, 1, "Session ID unknown"),
        ("POST", POLLING, 2, "Bad handshake method"),
        ("GET", WEBSOCKET, 3, "Bad request"),
        ("GET", {"EIO": "3", "transport": "polling"}, 5, "Unsupported protocol version"),
    ],
)
async def test_a_refusal_says_why(client: Client, method: str, query: dict[str, str], code: int, message: str) -> None:
    """Not in the protocol, but clients and documentation know the codes of the reference implementation."""
    response = await client.request(method, target(query), b"" if method == "POST" else None)
    assert response.status == 400
    assert response.headers["content-type"] == "application/json"
    assert json.loads(response.body) == {"code": code, "message": message}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_another_method_leaves_a_session_as_it_was(client: Client, method: str) -> None:
    session = await client.polling()
    response = await client.request(method, session.target, b"4other")
    assert response.status >= 400
    await session.send("4still here")
    assert await session.packet() == "4still here"


async def test_sessions_do_not_see_one_another(client: Client, transport: str) -> None:
    sessions: list[Session] = [await client.session(transport) for _ in range(5)]
    for number, session in enumerate(sessions):
        await session.send(f"4{number}")
    assert [await session.packet() for session in sessions] == ["40", "41", "42", "43", "44"]

"""hub.transport.socketio.admin.view: what leaves the server is harmless, short, and can be encoded."""

from datetime import UTC, datetime
from typing import Any, cast

import orjson
import pytest

from hub.transport.engineio.addresses import NOWHERE
from hub.transport.engineio.handshake import RequestHead
from hub.transport.engineio.request import Request
from hub.transport.socketio.admin import view
from hub.transport.socketio.admin.view import CUT, HIDDEN, MAX_CHARACTERS, MAX_ROOMS, MAX_TEXT, Since
from hub.transport.socketio.socket import Socket

HEAD = b"\r\n".join(
    [
        b"GET /socket.io/?EIO=4&transport=websocket&token=sesame&t=abc HTTP/1.1",
        b"Host: hub.example",
        b"Origin: https://app.example",
        b"User-Agent: " + b"x" * 1000,
        b"Authorization: Bearer sesame",
        b"Cookie: session=sesame",
        b"Referer: https://app.example/?token=sesame",
        b"X-Api-Key: sesame",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-For: 203.0.113.7",
    ]
)
SINCE = Since(1_700_000_000_123, "192.0.2.1")


class FakeSession:
    sid = "the-session-is-a-bearer-secret"
    connection: object | None = None


class FakeClient:
    def __init__(self, request: Request | None) -> None:
        self.session, self.request = FakeSession(), request


def socket_of(request: Request | None) -> Socket:
    return Socket(cast("Any", FakeClient(request)), "/chat", "public-id")


def test_a_socket_is_described_in_the_fields_of_the_protocol() -> None:
    socket = socket_of(Request(RequestHead(HEAD), ("192.0.2.1", 4711)))
    socket.rooms = {"lobby"}
    shown = view.describe(socket, SINCE, {"userId": "u1"})
    assert shown.keys() == {"id", "clientId", "transport", "nsp", "data", "handshake", "rooms"}
    assert (shown["id"], shown["nsp"], shown["transport"]) == ("public-id", "/chat", "polling")
    assert shown["rooms"] == ["public-id", "lobby"]
    assert shown["data"] == {"userId": "u1"}
    handshake = shown["handshake"]
    assert (handshake["address"], handshake["url"]) == ("192.0.2.1", "/socket.io/")
    assert (handshake["issued"], handshake["time"]) == (SINCE.ms, "2023-11-14T22:13:20.123Z")
    assert (handshake["secure"], handshake["xdomain"]) == (True, True)
    assert handshake["query"] == {"EIO": "4", "transport": "websocket", "t": "abc"}
    assert handshake["headers"]["host"] == "hub.example"
    assert handshake["headers"]["x-forwarded-for"] == "203.0.113.7"


def test_a_socket_with_a_websocket_says_so() -> None:
    socket = socket_of(None)
    socket.client.session.connection = cast("Any", object())
    assert view.describe(socket, SINCE, {})["transport"] == "websocket"


def test_no_secret_of_a_request_is_shown() -> None:
    shown = orjson.dumps(view.describe(socket_of(Request(RequestHead(HEAD), NOWHERE)), SINCE, {}))
    assert b"sesame" not in shown
    assert FakeSession.sid.encode() not in shown
    assert FakeSession.sid[:12].encode() not in shown, "what the protocol's own server shows of a client's id"


def test_a_socket_whose_request_is_gone_is_shown_with_what_was_kept() -> None:
    handshake = view.describe(socket_of(None), SINCE, {})["handshake"]
    assert (handshake["address"], handshake["issued"]) == ("192.0.2.1", SINCE.ms)
    assert (handshake["headers"], handshake["query"]) == ({}, {})


def test_the_sockets_of_a_client_share_an_id_that_others_do_not_have() -> None:
    assert view.client_id("one") == view.client_id("one") != view.client_id("other")


def test_what_clients_make_long_is_cut() -> None:
    socket = socket_of(Request(RequestHead(HEAD), NOWHERE))
    socket.rooms = {f"room {number} " + "y" * 1000 for number in range(5 * MAX_ROOMS)}
    shown = view.describe(socket, SINCE, {})
    assert shown["handshake"]["headers"]["user-agent"] == "x" * MAX_TEXT + CUT
    assert len(shown["rooms"]) == 1 + MAX_ROOMS
    assert {len(room) for room in shown["rooms"][1:]} == {MAX_TEXT + len(CUT)}


def test_a_short_event_is_shown_as_it_is() -> None:
    arguments = ["say", "hello", {"to": ["bob", 7, 1.5, None, True], "at": {"x": 1}}]
    assert view.event(arguments) == arguments


@pytest.mark.parametrize(
    "key",
    [
        *("token", "accessToken", "refresh_token", "password", "newPasswd", "client_secret", "Authorization"),
        *("Cookie", "apiKey", "api-key", "ticket", "credentials", "privateKey", "jwt", "sessionId"),
    ],
)
def test_values_under_keys_of_secrets_are_hidden_at_any_depth(key: str) -> None:
    assert view.event(["x", {"a": [{key: "sesame", "b": 1}]}]) == ["x", {"a": [{key: HIDDEN, "b": 1}]}]


@pytest.mark.parametrize("secret", ["Bearer sesame", "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2VzYW1l"])
def test_bare_tokens_are_hidden(secret: str) -> None:
    assert view.event(["login", secret]) == ["login", HIDDEN]


def test_bytes_are_told_by_their_number_and_dates_as_text() -> None:
    assert view.event(["x", b"123", bytearray(4), memoryview(b"12345"), datetime(2026, 1, 2, tzinfo=UTC)]) == [
        *("x", "(3 bytes)", "(4 bytes)", "(5 bytes)", "2026-01-02T00:00:00.000Z"),
    ]


def test_what_is_no_json_is_named_by_its_type() -> None:
    assert view.event(["x", object(), {1: {2, 3}}]) == ["x", "(object)", {"1": "(set)"}]


DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "long",
    [
        "z" * 1_000_000,
        ["z" * 100] * 100_000,
        [[]] * 100_000,
        {f"key {number}": number for number in range(100_000)},
        {"k" * 1_000_000: "v" * 1_000_000},
        DEEP,
    ],
    ids=["text", "texts", "nothings", "map", "key", "depth"],
)
def test_a_long_event_is_cut(long: Any) -> None:
    shown = view.event(["n" * 1000, long, long])
    assert shown[0] == "n" * MAX_TEXT + CUT
    assert CUT in orjson.dumps(shown).decode()
    assert len(orjson.dumps(shown)) < 2 * MAX_CHARACTERS + MAX_TEXT


def test_half_a_character_can_be_encoded() -> None:
    assert orjson.loads(orjson.dumps(view.event(["x", "\ud83d", {"\ud83d": 1}]))) == ["x", "?", {"?": 1}]
    assert view.text("\ud83d") == "?"

"""The opening handshake: what is read from a request, and when it is answered with 101."""

import base64

import pytest

from hub.transport.engineio.handshake import RequestHead
from hub.transport.engineio.websocket import ProtocolError
from tests.support.raw_websocket import KEY, accept_of

GOOD = {
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def head(first: str = "GET /socket.io/?EIO=4 HTTP/1.1", /, **headers: str | None) -> RequestHead:
    """A handshake; underscores in the names of headers stand for hyphens, and None takes one away."""
    fields = GOOD | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [first, *(f"{name}: {value}" for name, value in fields.items() if value is not None)]
    return RequestHead("\r\n".join(lines).encode())


def test_a_request_has_a_path_parameters_and_headers_by_their_lower_case_names() -> None:
    request = head("GET /socket.io/?EIO=4&transport=websocket&empty= HTTP/1.1", Host="hub.example", Origin=None)
    assert request.path == "/socket.io/"
    assert request.query_string == "EIO=4&transport=websocket&empty="
    assert request.query == {"EIO": "4", "transport": "websocket", "empty": ""}
    assert request.header(b"host") == "hub.example"
    assert request.header(b"origin") == ""


def test_of_a_header_that_comes_twice_the_first_counts() -> None:
    request = RequestHead(b"GET / HTTP/1.1\r\nX-Tag: first\r\nx-tag:second")
    assert request.header(b"x-tag") == "first"


@pytest.mark.parametrize("name", [b"Host", b"Origin", b"Sec-WebSocket-Key", b"Sec-WebSocket-Version"])
def test_a_header_that_says_two_things_makes_no_request(name: bytes) -> None:
    with pytest.raises(ProtocolError):
        RequestHead(b"GET / HTTP/1.1\r\n" + name + b": a\r\n" + name.lower() + b": b")


def test_parameters_are_decoded_where_they_need_it() -> None:
    assert head("GET /?a=1+2&b=%2F&c= HTTP/1.1").query == {"a": "1 2", "b": "/", "c": ""}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET /",
        b"GET  / HTTP/1.1",
        b"POST / HTTP/1.1",
        b"GET / HTTP/1.0",
        b"GET / HTTP/2",
        b"GET /\xff HTTP/1.1",
        b"GET /?" + b"&".join(b"p%d=%%" % number for number in range(40)) + b" HTTP/1.1",
        b"GET / HTTP/1.1\r\nno colon",
        b"GET / HTTP/1.1\r\n: no name",
        b"GET / HTTP/1.1\r\nspace : before colon",
        b"GET / HTTP/1.1\r\nA: folded\r\n into two: lines",
    ],
)
def test_what_is_no_such_request_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        RequestHead(data)


def test_a_handshake_is_answered_with_the_key_it_has_sent() -> None:
    answer = head().websocket_answer()
    assert answer is not None
    status, *lines = answer.decode().split("\r\n")
    assert status == "HTTP/1.1 101 Switching Protocols"
    assert set(lines[:-2]) == {
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_of(KEY)}",
    }
    assert lines[-2:] == ["", ""]


def test_no_extension_and_no_subprotocol_is_accepted() -> None:
    answer = head(Sec_WebSocket_Extensions="permessage-deflate", Sec_WebSocket_Protocol="chat").websocket_answer()
    assert answer is not None
    assert b"deflate" not in answer
    assert b"Protocol:" not in answer


def test_names_of_protocols_are_compared_without_case() -> None:
    assert head(Upgrade="WebSocket", Connection="UPGRADE").websocket_answer() is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"Upgrade": None},
        {"Upgrade": "h2c"},
        {"Connection": None},
        {"Connection": "keep-alive"},
        {"Connection": "not-upgrade"},
        {"Sec_WebSocket_Version": None},
        {"Sec_WebSocket_Version": "8"},
        {"Sec_WebSocket_Key": None},
        {"Sec_WebSocket_Key": "short"},
        {"Sec_WebSocket_Key": base64.b64encode(b"x" * 15).decode()},
        {"Sec_WebSocket_Key": base64.b64encode(b"x" * 17).decode()},
        {"Sec_WebSocket_Key": "*" * 24},
    ],
)
def test_a_handshake_that_lacks_something_is_not_answered(wrong: dict[str, str | None]) -> None:
    assert head(**wrong).websocket_answer() is None

"""Values of JSON-RPC: read strictly, written as the standard has them; calls and batches; and reverts."""

import json
from typing import Any

import pytest

from hub.embedded.chain_json import INVALID_PARAMS, RpcError, address, block_tag, data, mapping, quantity, shown
from hub.embedded.chain_revert import reverted
from hub.embedded.chain_server import Methods, answer


def add(one: object, other: object = "0x1") -> str:
    return hex(quantity(one) + quantity(other))


def fail() -> None:
    raise ZeroDivisionError("a secret")


METHODS: Methods = {"add": add, "fail": fail}


def call(body: object) -> Any:
    answered = answer(METHODS, body if isinstance(body, bytes) else json.dumps(body).encode())
    return json.loads(answered) if answered else None


def request(method: str, *params: object, number: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


@pytest.mark.parametrize(("given", "means"), [("0x0", 0), ("0x1F", 31), ("0x00ff", 255), (7, 7)])
def test_numbers_are_hexadecimal_or_plain(given: object, means: int) -> None:
    assert quantity(given) == means


@pytest.mark.parametrize(
    "given", ["", "0x", "12", "0xg", "-0x1", "0x" + "f" * 65, "0x 1", "0x1\n", -1, 1 << 256, True, None, 1.0, [], {}]
)
def test_what_is_no_number_is_refused(given: object) -> None:
    with pytest.raises(RpcError) as refused:
        quantity(given)
    assert refused.value.code == INVALID_PARAMS


@pytest.mark.parametrize("given", ["0x0", "00", "0xzz", "0x00\n", None, 5, "0x" + "00" * 19])
def test_what_is_no_address_is_refused(given: object) -> None:
    with pytest.raises(RpcError):
        address(given)


def test_bytes_tags_and_objects() -> None:
    assert data("0x") == b""
    assert data("0x00Ff") == b"\x00\xff"
    assert [block_tag("latest"), block_tag("0x10")] == ["latest", 16]
    assert mapping({"to": None, "value": "0x1"}, "transaction") == {"value": "0x1"}
    with pytest.raises(RpcError):
        block_tag("newest")
    with pytest.raises(RpcError):
        mapping([], "transaction")


def test_results_are_in_the_words_of_the_standard() -> None:
    raw = {"block_number": 16, "is_new": True, "data_hash": b"\x00\x01", "gas_used_ratio": [0.5], "to": None}
    assert shown(raw) == {
        "blockNumber": "0x10",
        "isNew": True,
        "dataHash": "0x0001",
        "gasUsedRatio": [0.5],
        "to": None,
    }


def test_one_call_and_a_batch_in_its_order() -> None:
    assert call(request("add", "0x2")) == {"jsonrpc": "2.0", "id": 1, "result": "0x3"}
    answers = call([request("add", "0x2", number="a"), request("nothing", number=None), request("add", "0x4")])
    assert [one["id"] for one in answers] == ["a", None, 1]
    assert answers[1]["error"]["code"] == -32601
    assert answers[2]["result"] == "0x5"


def test_a_notification_gets_no_answer() -> None:
    assert call({"jsonrpc": "2.0", "method": "add", "params": ["0x1"]}) is None
    assert call([{"jsonrpc": "2.0", "method": "add", "params": ["0x1"]}]) is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"\xff{}", -32700),
        (b"[" * 100_000, -32700),
        ([], -32600),
        ([request("add", "0x1")] * 1001, -32600),
        (5, -32600),
        ({"method": "add"}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": "add", "params": {"one": "0x1"}}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": 5}, -32600),
        (request("x" * 10_000), -32601),
        (request("add"), -32602),
        (request("add", "0x1", "0x2", "0x3"), -32602),
        (request("add", "one"), -32602),
        (request("fail"), -32603),
    ],
)
def test_bad_requests_get_the_codes_of_the_standard(body: object, code: int) -> None:
    answered = call(body)
    assert answered["error"]["code"] == code
    assert len(json.dumps(answered)) < 400
    assert "secret" not in str(answered)


def word(number: int) -> str:
    return f"{number:064x}"


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("", "execution reverted"),
        ("08c379a0" + word(32) + word(2) + b"no".hex().ljust(64, "0"), "execution reverted: no"),
        ("4e487b71" + word(0x11), "execution reverted: panic code 0x11"),
        ("deadbeef" + word(1), "execution reverted"),
        ("08c379a0" + word(1 << 255) + word(1 << 255), "execution reverted"),
        ("08c379a0" + word(32) + word(2) + "fffe".ljust(64, "0"), "execution reverted"),
    ],
)
def test_a_revert_says_why_and_carries_what_was_returned(returned: str, message: str) -> None:
    error = reverted(bytes.fromhex(returned))
    assert (error.code, error.message, error.data) == (3, message, f"0x{returned}")

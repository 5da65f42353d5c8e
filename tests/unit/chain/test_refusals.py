"""What nodes say no with: the same meaning in the words of each."""

import pytest

from core_api.chain.refusals import RpcRefused


def word(number: int) -> str:
    return f"{number:064x}"


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ("already known", "already_known"),  # geth, Reth
        ("AlreadyKnown", "already_known"),  # Nethermind
        ("Known transaction", "already_known"),  # Besu
        ("transaction already imported", "already_known"),  # anvil
        ("nonce too low: next nonce 5, tx nonce 4", "nonce_too_low"),
        ("OldNonce", "nonce_too_low"),
        ("nonce too low: address 0x12, tx: 4 state: 5", "nonce_too_low"),
        ("replacement transaction underpriced", "underpriced"),
        ("transaction underpriced: tip needed 1, tip permitted 0", "underpriced"),
        ("ReplacementNotAllowed", "underpriced"),
        ("max fee per gas less than block base fee: address 0x12", "underpriced"),
        ("insufficient funds for gas * price + value: have 0 want 1", "too_poor"),
        ("Insufficient funds for gas * price + value", "too_poor"),
        ("Upfront cost exceeds account balance", "too_poor"),
        ("execution reverted: no", "reverted"),
        ("VM Exception while processing transaction: revert no", "reverted"),
        ("the method eth_no does not exist", ""),
    ],
)
def test_the_meaning_of_messages(message: str, meaning: str) -> None:
    refused = RpcRefused(-32000, message)
    meanings = ("already_known", "nonce_too_low", "underpriced", "too_poor", "reverted")
    assert [one for one in meanings if getattr(refused, one)] == ([meaning] if meaning else [])


@pytest.mark.parametrize("wrap", [str, lambda data: {"data": data}, lambda data: f"Reverted {data}"])
def test_the_reason_of_a_revert_is_read_from_wherever_nodes_put_it(wrap: object) -> None:
    assert callable(wrap)
    refused = RpcRefused(-32015, "VM execution error.", wrap("0x08c379a0" + word(32) + word(2) + "6e6f".ljust(64, "0")))
    assert refused.reverted
    assert refused.reason == "no"


@pytest.mark.parametrize(
    "data",
    [
        None,
        5,
        [],
        {},
        {"data": None},
        "",
        "text",
        "0x",
        "0xdeadbeef",
        "0x08c379a0",
        "0x08c379a0" + word(32) + "zz" * 32,
        "0x08c379a0" + word(32) + word(1 << 255) + "6e6",
    ],
)
def test_data_without_a_reason_gives_none(data: object) -> None:
    assert RpcRefused(3, "execution reverted", data).reason is None


def test_what_a_contract_writes_is_bounded() -> None:
    long = RpcRefused(3, "x" * 10_000, "0x08c379a0" + word(32) + word(5_000) + "41" * 5_000)
    assert len(long.message) == 500
    assert long.reason == "A" * 500
    assert len(str(long)) < 600

"""core_api.chain.addresses and core_api.chain.signatures, judged by eth-account and eth-utils."""

import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_defunct
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from core_api.chain import addresses
from core_api.chain.signatures import ORDER, digest, signer
from hub.kernel.errors import InvalidPayload

ADA = Account.from_key(b"\1" * 32)
ADDRESS = bytes.fromhex(ADA.address[2:])
TEXT = "Connect this wallet é"


def sign(text: str = TEXT) -> bytes:
    return bytes(ADA.sign_message(encode_defunct(text=text)).signature)


@given(st.binary(min_size=20, max_size=20))
def test_checksums_are_those_of_eth_utils(address: bytes) -> None:
    shown = addresses.shown(address)
    assert shown == to_checksum_address(address)
    for text in (shown, shown.lower(), "0x" + shown[2:].upper()):
        assert addresses.parse(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "0x", ADA.address[2:], ADA.address[:-1], ADA.address + "0", ADA.address + "\n", "0X" + ADA.address[2:],
     ADA.address.swapcase().replace("0X", "0x"), ADA.address.replace("1a642f", "1A642f"), "0x" + "g" * 40],
)  # fmt: skip
def test_a_mistyped_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidPayload) as refused:
        addresses.parse(text, "/owner")
    assert refused.value.details["errors"][0]["pointer"] == "/owner"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_signed_is_the_message_of_eip_191(text: str) -> None:
    assert digest(text) == _hash_eip191_message(encode_defunct(text=text))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50), st.integers(1, ORDER - 1))
@settings(max_examples=30)
def test_the_signer_is_found(text: str, secret: int) -> None:
    account = Account.from_key(secret.to_bytes(32, "big"))
    signature = account.sign_message(encode_defunct(text=text)).signature
    assert signer(digest(text), signature) == bytes.fromhex(account.address[2:])


def test_v_is_taken_as_wallets_write_it() -> None:
    signature = sign()
    for v in (signature[64], signature[64] - 27):
        assert signer(digest(TEXT), signature[:64] + bytes([v])) == ADDRESS
    for v in (2, 3, 26, 29, 35, 36, 255):
        assert signer(digest(TEXT), signature[:64] + bytes([v])) is None


def test_the_other_form_of_a_signature_is_refused() -> None:
    signature = sign()
    s = int.from_bytes(signature[32:64], "big")
    other = signature[:32] + (ORDER - s).to_bytes(32, "big") + bytes([55 - signature[64]])
    assert Account.recover_message(encode_defunct(text=TEXT), signature=other) == ADA.address  # it is as valid
    assert signer(digest(TEXT), other) is None


def test_what_was_not_signed_by_this_key_has_another_signer() -> None:
    assert signer(digest(TEXT + "."), sign()) != ADDRESS
    assert signer(digest(TEXT), sign(TEXT + ".")) != ADDRESS


@given(st.binary(max_size=70) | st.binary(min_size=64, max_size=64).map(lambda start: start + b"\x1b"))
@pytest.mark.parametrize("edge", [b"", bytes(65), b"\xff" * 65, b"\xff" * 32 + bytes(32) + b"\1"])
def test_other_bytes_are_nobodys_signature(edge: bytes, data: bytes) -> None:
    for signature in (edge, data):
        assert signer(digest(TEXT), signature) != ADDRESS

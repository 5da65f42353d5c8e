"""core_api.chain.signer: the key file, and what is signed with it."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from eth_account import Account

from core_api.chain.ledger import Call, Fees
from core_api.chain.signer import ChainKeyError, Signer, load_or_create

KNOWN = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
FEES = Fees(most=3 * 10**9, tip=10**9)


def test_processes_that_start_at_once_make_one_private_key(tmp_path: Path) -> None:
    path = tmp_path / "data" / "chain-key"
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: load_or_create(path), range(16)))
    assert len(keys) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["chain-key"]


@pytest.mark.parametrize(
    "content", ["", "0x12", "zz" * 32, KNOWN + "00", "00" * 32, "ff" * 32], ids=lambda text: text[:6]
)
async def test_what_is_no_key_is_refused_without_being_quoted(tmp_path: Path, content: str) -> None:
    path = tmp_path / "chain-key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(ChainKeyError, match="private key") as refused:
        await Signer(path).address()
    assert len(content) < 10 or content not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chain-key"
    path.write_text(KNOWN)
    path.chmod(0o640)
    with pytest.raises(ChainKeyError, match="chmod 600"):
        load_or_create(path)


def test_a_folder_in_the_place_of_the_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ChainKeyError, match="cannot be used"):
        load_or_create(tmp_path)


async def test_the_same_call_is_signed_with_the_same_bytes_by_the_account(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "chain-key"
    path.write_text(f"0x{KNOWN}\n")
    path.chmod(0o600)
    signer = Signer(path)
    assert await signer.address() == ADDRESS
    call = Call(ADDRESS, b"\x01\x02")
    first = await signer.sign(call, chain_id=31_337, nonce=5, gas=50_000, fees=FEES)
    assert await signer.sign(call, chain_id=31_337, nonce=5, gas=50_000, fees=FEES) == first
    assert Account.recover_transaction(first.raw) == ADDRESS
    creation = await signer.sign(Call(None, b"\x60"), chain_id=31_337, nonce=5, gas=50_000, fees=FEES)
    assert creation.hash != first.hash
    assert KNOWN not in caplog.text + repr(vars(signer))

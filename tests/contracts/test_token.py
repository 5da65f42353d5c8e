"""SPARK: supply, pause, permits, votes."""

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from web3 import Web3

from tests.contracts.testbed import SPARK, Deployed, Testbed

MAX_SUPPLY = 1_000_000_000 * SPARK


def test_there_are_tokens_to_begin_with_and_minters_make_more(bed: Testbed, token: Deployed) -> None:
    token.do("mint", bed.alice, 5 * SPARK, by=bed.admin)
    assert token.read("balanceOf", bed.alice) == 5 * SPARK
    assert token.read("totalSupply") == 1_000_005 * SPARK


def test_only_minters_mint(bed: Testbed, token: Deployed) -> None:
    with token.refuses("AccessControlUnauthorizedAccount"):
        token.do("mint", bed.alice, 1, by=bed.alice)


def test_supply_never_passes_its_maximum(bed: Testbed, token: Deployed) -> None:
    room = MAX_SUPPLY - token.read("totalSupply")
    with token.refuses("ERC20ExceededSafeSupply"):
        token.do("mint", bed.alice, room + 1, by=bed.admin)
    token.do("mint", bed.alice, room, by=bed.admin)
    assert token.read("totalSupply") == token.read("MAX_SUPPLY") == MAX_SUPPLY


def test_a_pause_stops_transfers_mints_stakes_and_claims(bed: Testbed, token: Deployed) -> None:
    token.do("transfer", bed.alice, SPARK, by=bed.admin)
    token.do("pause", by=bed.admin)
    for function, arguments, who in (
        ("transfer", (bed.bob, 1), bed.alice),
        ("mint", (bed.bob, 1), bed.admin),
        ("stake", (1,), bed.alice),
        ("claimRewards", (), bed.alice),
    ):
        with token.refuses("EnforcedPause"):
            token.do(function, *arguments, by=who)
    token.do("unpause", by=bed.admin)
    token.do("transfer", bed.bob, SPARK, by=bed.alice)


@pytest.mark.parametrize("function", ["pause", "unpause"])
def test_strangers_neither_pause_nor_resume(bed: Testbed, token: Deployed, function: str) -> None:
    with token.refuses("AccessControlUnauthorizedAccount"):
        token.do(function, by=bed.alice)


def test_a_permit_is_an_approval_by_signature_and_works_once(bed: Testbed, token: Deployed) -> None:
    owner = Account.create()
    deadline = bed.now + 3600
    domain = dict(
        zip(("name", "version", "chainId", "verifyingContract"), token.read("eip712Domain")[1:5], strict=True)
    )
    assert domain["name"] == "Sparkle"
    message = {"owner": owner.address, "spender": bed.bob, "value": 7, "nonce": 0, "deadline": deadline}
    types = {
        "Permit": [
            {"name": "owner", "type": "address"},
            {"name": "spender", "type": "address"},
            {"name": "value", "type": "uint256"},
            {"name": "nonce", "type": "uint256"},
            {"name": "deadline", "type": "uint256"},
        ]
    }
    signed = owner.sign_message(encode_typed_data(domain, types, message))
    signature = (signed.v, Web3.to_bytes(signed.r).rjust(32, b"\0"), Web3.to_bytes(signed.s).rjust(32, b"\0"))
    token.do("permit", owner.address, bed.bob, 7, deadline, *signature, by=bed.carol)
    assert token.read("allowance", owner.address, bed.bob) == 7
    assert token.read("nonces", owner.address) == 1
    with token.refuses("ERC2612InvalidSigner"):
        token.do("permit", owner.address, bed.bob, 7, deadline, *signature, by=bed.carol)


def test_tokens_vote_once_delegated_and_the_past_stays(bed: Testbed, token: Deployed) -> None:
    token.do("transfer", bed.alice, 100, by=bed.admin)
    token.do("delegate", bed.bob, by=bed.alice)
    then = bed.now
    bed.pass_time(60)
    token.do("transfer", bed.carol, 40, by=bed.alice)
    assert token.read("getVotes", bed.bob) == 60
    assert token.read("getPastVotes", bed.bob, then) == 100


def test_votes_are_counted_by_the_clock_and_not_by_blocks(bed: Testbed, token: Deployed) -> None:
    assert token.read("CLOCK_MODE") == "mode=timestamp"
    assert token.read("clock") >= bed.now > 1_000_000_000

"""Upgrades: who may, what stays, and that nobody gets hold of a contract while it is made."""

import re

import pytest
from eth_abi.abi import encode
from web3 import Web3

from tests.contracts.testbed import PROJECT, SPARK, Deployed, Market, Testbed

UPGRADEABLE = {"SparkleToken": "token", "SparkleNFT": "nft", "SparkleMarketplace": "marketplace"}


def initialization(market: Market, name: str, admin: str) -> tuple[object, ...]:
    return {
        "SparkleToken": (admin, 0),
        "SparkleNFT": (admin,),
        "SparkleMarketplace": (admin, market.nft.address, market.token.address, 0, admin),
    }[name]


@pytest.mark.parametrize("name", UPGRADEABLE)
def test_strangers_cannot_initialise_an_implementation(market: Market, bed: Testbed, name: str) -> None:
    implementation = bed.deploy(name)
    with implementation.refuses("InvalidInitialization"):
        implementation.do("initialize", *initialization(market, name, bed.bob), by=bed.bob)


@pytest.mark.parametrize("name", UPGRADEABLE)
def test_nothing_is_initialised_twice(market: Market, bed: Testbed, name: str) -> None:
    contract: Deployed = getattr(market, UPGRADEABLE[name])
    with contract.refuses("InvalidInitialization"):
        contract.do("initialize", *initialization(market, name, bed.bob), by=bed.bob)


def test_a_proxy_that_is_not_initialised_at_once_is_not_made(bed: Testbed) -> None:
    implementation = bed.deploy("SparkleToken")
    with pytest.raises(AssertionError, match="could not be deployed"):
        bed.deploy("SparkleProxy", implementation.address, b"")


@pytest.mark.parametrize("name", UPGRADEABLE)
def test_only_the_administrator_upgrades(market: Market, bed: Testbed, name: str) -> None:
    contract: Deployed = getattr(market, UPGRADEABLE[name])
    again = bed.deploy(name)
    with contract.refuses("AccessControlUnauthorizedAccount"):
        contract.do("upgradeToAndCall", again.address, b"", by=bed.bob)
    contract.do("upgradeToAndCall", again.address, b"", by=bed.admin)


def test_an_upgrade_keeps_balances_stakes_votes_and_roles(bed: Testbed, token: Deployed) -> None:
    token.do("transfer", bed.alice, 100 * SPARK, by=bed.admin)
    token.do("stake", 60 * SPARK, by=bed.alice)
    token.do("delegate", bed.bob, by=bed.alice)
    bed.pass_time(3600)
    again = bed.deploy("SparkleToken")
    assert token.do("upgradeToAndCall", again.address, b"", by=bed.admin).event("Upgraded") == {
        "implementation": again.address
    }
    assert token.read("balanceOf", bed.alice) == 100 * SPARK
    assert token.read("stakedBalance", bed.alice) == token.read("totalStaked") == 60 * SPARK
    assert token.read("pendingRewards", bed.alice) > 0
    assert token.read("getVotes", bed.bob) == 100 * SPARK
    token.do("unstake", 60 * SPARK, by=bed.alice)
    token.do("mint", bed.alice, 1, by=bed.admin)
    with token.refuses("InvalidInitialization"):
        token.do("initialize", bed.bob, 0, by=bed.bob)


def test_an_upgrade_changes_what_tokens_do_and_keeps_what_they_are(market: Market, bed: Testbed) -> None:
    token_id = market.mint(bed.alice, royalty=500, content=b"\x22" * 32)
    market.nft.do("upgradeToAndCall", bed.deploy("GreedyNFT").address, b"", by=bed.admin)
    assert market.nft.read("royaltyInfo", token_id, 50)[1] == 100
    assert market.owner(token_id) == bed.alice
    assert market.nft.read("tokenURI", token_id) == "ipfs://bafy"
    assert market.nft.read("tokenOfContent", b"\x22" * 32) == token_id
    assert market.mint(bed.bob) == token_id + 1


def test_what_could_not_be_upgraded_again_is_no_upgrade(market: Market, bed: Testbed) -> None:
    with market.token.refuses("ERC1967InvalidImplementation"):
        market.token.do("upgradeToAndCall", bed.deploy("CallbackReceiver").address, b"", by=bed.admin)


def test_fields_lie_where_their_namespaces_say() -> None:
    found = {}
    for source in (PROJECT / "contracts/src").glob("*.sol"):
        text = source.read_text()
        for namespace in re.findall(r"@custom:storage-location erc7201:(\S+)", text):
            [slot] = re.findall(r"_STORAGE = (0x[0-9a-f]{64});", text)
            assert namespace not in found
            found[namespace] = slot
    assert len(found) == 3
    for namespace, slot in found.items():
        inner = int.from_bytes(Web3.keccak(text=namespace)) - 1
        outer = int.from_bytes(Web3.keccak(encode(["uint256"], [inner])))
        assert int(slot, 16) == outer & ~0xFF, namespace

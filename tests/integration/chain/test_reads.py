"""What contracts say, over HTTP: a real chain with the hub's contracts on it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from core_api.chain import addresses
from core_api.chain.contract_abi import CONTRACTS, contract
from core_api.chain.deployment_plan import TIMELOCK_DELAY_S, next_steps
from core_api.chain.deployment_store import Deployment
from core_api.chain.errors import ChainUnavailable
from core_api.chain.ledger import Call, ChainIdentity
from core_api.chain.ledger_rpc import RpcLedger
from core_api.chain.reads import ContractReads
from core_api.chain.reads_governance import GovernanceReads
from core_api.chain.reads_limit import ReadLimit
from core_api.chain.routes_reads import reads_api
from core_api.chain.rpc import ChainClient
from core_api.chain.settings import ChainSettings
from hub.storage.answers import PostgresAnswers
from hub.storage.postgres import create_pool
from hub.transport import middleware, rest
from tests.support.accounts import CountingLimiter
from tests.support.chain import ACCOUNTS, CHAIN_ID
from tests.support.clock import FrozenClock

BASE = "/api/v1/blockchain"
HUB, ALICE = ACCOUNTS
ALICE_SHOWN = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
SPARK = 10**18
READS = 20
"""Of one address, of what is not the same for everybody."""
FOREVER = 2**64 - 1
ORIGINAL = bytes(32)


@dataclass
class KnownContracts:
    """Implements core_api.chain.reads.ReadyContracts: they are where we put them."""

    contracts: dict[str, str]

    async def ready(self) -> Deployment:
        return Deployment(id=1, identity=ChainIdentity(CHAIN_ID, "0x0"), state="ready", contracts=self.contracts)


class NoAuthenticator:
    """Implements hub.kernel.ports.Authenticator: nothing here asks who it is."""

    async def authenticate(self, access_token: str) -> Any:
        raise AssertionError


@dataclass
class Reads:
    """A client without a token, and a way to change what it reads."""

    http: TestClient[web.Request, web.Application]
    chain: ChainClient
    known: KnownContracts

    async def get(self, path: str, status: int = 200) -> Any:
        async with self.http.get(BASE + path) as response:
            answer = await response.json(content_type=None)
            assert response.status == status, answer
            return answer

    async def do(self, name: str, function: str, *arguments: Any, by: str = HUB) -> None:
        await send(self.chain, by, Call(self.known.contracts[name], contract(name).call(function, *arguments)))


async def send(chain: ChainClient, sender: str, call: Call) -> str:
    transaction = {"from": sender, "data": call.data, "gas": hex(8_000_000)}
    if call.to is not None:
        transaction["to"] = call.to
    receipt = await chain.request("eth_getTransactionReceipt", await chain.request("eth_sendTransaction", transaction))
    assert receipt["status"] == "0x1"
    created = receipt["contractAddress"]
    return "" if created is None else addresses.shown(bytes.fromhex(created[2:]))


@pytest.fixture(scope="module")
def contracts(chain_url: str) -> dict[str, str]:
    async def deploy() -> dict[str, str]:
        chain = ChainClient(chain_url, ChainSettings())
        done = {"hub": HUB}
        while steps := next_steps(done):
            for step in steps:
                done[step.name] = await send(chain, HUB, step.make(done))
        await chain.close()
        return {name: done[name] for name in CONTRACTS}

    return asyncio.run(deploy())


@pytest.fixture
async def reads(chain_url: str, contracts: dict[str, str], database_url: str) -> AsyncIterator[Reads]:
    chain, known = ChainClient(chain_url, ChainSettings()), KnownContracts(dict(contracts))
    undo = await chain.request("evm_snapshot")
    ledger, pool = RpcLedger(chain, ChainSettings()), await create_pool(database_url, size=2)
    app = web.Application(middlewares=[middleware.scope])
    settings = ChainSettings(reads_life_s=1e-9, reads_per_minute=READS)
    limit = ReadLimit(CountingLimiter(), settings)
    api = reads_api(ContractReads(known, ledger), GovernanceReads(known, ledger), limit, settings)
    rest.add_endpoints(app, [api], NoAuthenticator(), PostgresAnswers(pool, FrozenClock()))
    async with TestClient(TestServer(app)) as http:
        yield Reads(http, chain, known)
    await chain.request("evm_revert", undo)
    await chain.close()
    await pool.close()


async def test_the_token_is_shown_with_amounts_too_large_for_a_number(reads: Reads) -> None:
    await reads.do("SparkleToken", "stake", 7)
    token = await reads.get("/token")
    assert token == {
        "chainId": CHAIN_ID,
        "contract": reads.known.contracts["SparkleToken"],
        "name": "Sparkle",
        "symbol": "SPARK",
        "decimals": 18,
        "totalSupply": str(1_000_000 * SPARK),
        "maxSupply": str(1_000_000_000 * SPARK),
        "totalStaked": "7",
        "paused": False,
    }


async def test_a_stake_is_shown_with_what_it_earned(reads: Reads) -> None:
    await reads.do("SparkleToken", "transfer", ALICE, 100 * SPARK)
    await reads.do("SparkleToken", "stake", 60 * SPARK, by=ALICE)
    await reads.chain.request("evm_increaseTime", 3600)
    await reads.chain.request("evm_mine")
    stake = await reads.get(f"/staking?address={ALICE}")
    assert (stake["address"], stake["balance"], stake["staked"]) == (ALICE_SHOWN, str(100 * SPARK), str(60 * SPARK))
    assert int(stake["pendingRewards"]) >= 60 * 3600 * int(stake["rewardRate"]) > 0


async def test_whoever_has_no_stake_has_zero(reads: Reads) -> None:
    stake = await reads.get("/staking?address=0x" + "ab" * 20)
    assert (stake["balance"], stake["staked"], stake["pendingRewards"]) == ("0", "0", "0")


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("", id="none"),
        pytest.param("?address=0x12", id="too short"),
        pytest.param(f"?address={ALICE_SHOWN.replace('C5', 'c5')}", id="with a wrong checksum"),
    ],
)
async def test_a_mistyped_address_is_told(reads: Reads, query: str) -> None:
    refused = await reads.get("/staking" + query, 422)
    assert refused["errors"][0]["pointer"] == "/address"


async def test_the_market_shows_its_fee(reads: Reads) -> None:
    market = await reads.get("/market")
    assert market == {
        "chainId": CHAIN_ID,
        "contract": reads.known.contracts["SparkleMarketplace"],
        "feeBps": 250,
        "feeRecipient": reads.known.contracts["SparkleTimelock"],
        "paused": False,
    }


async def listed(reads: Reads, price: int, expires_at: int) -> None:
    """Alice's only token, which is number 1."""
    await reads.do("SparkleNFT", "mintNFT", ALICE, ALICE, "ipfs://bafy", 0, 0, False, ORIGINAL)
    await reads.do("SparkleNFT", "setApprovalForAll", reads.known.contracts["SparkleMarketplace"], True, by=ALICE)
    await reads.do("SparkleMarketplace", "list", 1, price, expires_at, by=ALICE)


async def test_a_listing_is_shown_until_it_is_cancelled(reads: Reads) -> None:
    await listed(reads, 5 * SPARK, 4_000_000_000)
    assert await reads.get("/market/listings/1") == {
        "tokenId": "1",
        "seller": ALICE_SHOWN,
        "price": str(5 * SPARK),
        "expiresAt": "2096-10-02T07:06:40Z",
        "buyable": True,
    }
    await reads.do("SparkleNFT", "lockToken", 1, by=ALICE)
    assert not (await reads.get("/market/listings/1"))["buyable"]
    await reads.do("SparkleMarketplace", "cancel", 1, by=ALICE)
    await reads.get("/market/listings/1", 404)


async def test_a_time_beyond_all_dates_is_shown_as_never(reads: Reads) -> None:
    await listed(reads, 1, FOREVER)
    assert (await reads.get("/market/listings/1"))["expiresAt"] is None


@pytest.mark.parametrize(
    ("token_id", "status"),
    [("0", 404), ("77", 404), (str(2**256 - 1), 404), (str(2**256), 404), ("9" * 79, 422), ("01", 422), ("-1", 422)],
)
async def test_tokens_that_are_not_listed_and_numbers_that_are_none(reads: Reads, token_id: str, status: int) -> None:
    await reads.get(f"/market/listings/{token_id}", status)


async def test_governance_shows_its_settings_and_the_newest_proposals(reads: Reads) -> None:
    await reads.do("SparkleToken", "delegate", HUB)
    await reads.chain.request("evm_increaseTime", 10)
    await reads.chain.request("evm_mine")
    action = ([reads.known.contracts["SparkleToken"]], [0], [contract("SparkleToken").call("updateRewardRate", 1)])
    for number in range(12):
        await reads.do("SparkleGovernor", "propose", *action, f"number {number}")
    await reads.chain.request("evm_increaseTime", 25 * 3600)
    await reads.chain.request("evm_mine")
    governance = await reads.get("/governance")
    newest = governance["proposals"].pop(0)
    await reads.do("SparkleGovernor", "castVote", int(newest["id"]), 1)
    voted = (await reads.get("/governance"))["proposals"][0]
    assert voted == newest | {"votesFor": str(1_000_000 * SPARK)}
    assert (newest["state"], newest["proposer"].lower(), newest["votesFor"]) == ("active", HUB, "0")
    assert newest["votingStartsAt"] < newest["votingEndsAt"]
    assert len({proposal["id"] for proposal in governance.pop("proposals")}) == 9
    assert governance == {
        "chainId": CHAIN_ID,
        "contract": reads.known.contracts["SparkleGovernor"],
        "timelock": reads.known.contracts["SparkleTimelock"],
        "votingDelay": 24 * 3600,
        "votingPeriod": 7 * 24 * 3600,
        "executionDelay": TIMELOCK_DELAY_S,
        "proposalThreshold": str(1000 * SPARK),
        "quorum": str(40_000 * SPARK),
        "proposalCount": 12,
    }


async def test_a_contract_that_the_operator_did_not_name_is_missed(reads: Reads) -> None:
    del reads.known.contracts["SparkleGovernor"]
    missed = await reads.get("/governance", 503)
    assert missed["code"] == "not_deployed"
    await reads.get("/token")


@pytest.mark.parametrize(
    "path", ["/token", "/market", "/governance", "/market/listings/1", f"/staking?address={ALICE}"]
)
async def test_an_address_with_another_contract_or_none_is_an_outage_and_no_crash(reads: Reads, path: str) -> None:
    known = reads.known.contracts
    known |= {"SparkleToken": ALICE_SHOWN, "SparkleMarketplace": known["SparkleNFT"], "SparkleGovernor": ALICE_SHOWN}
    unavailable = await reads.get(path, 503)
    assert unavailable["code"] == ChainUnavailable.code


async def test_one_address_cannot_have_the_node_asked_without_end(reads: Reads) -> None:
    for number in range(READS):
        await reads.get(f"/market/listings/{2**256 + number}", 404)
    refused = await reads.get(f"/staking?address={ALICE_SHOWN}", 429)
    assert refused["code"] == "rate_limited"
    await reads.get("/market")

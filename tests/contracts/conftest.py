"""One chain for all tests of contracts. Each test finds it as it was deployed: what it did is undone afterwards."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from eth_tester import EthereumTester
from web3 import EthereumTesterProvider, Web3

from tests.contracts.governed import Hub, deployed
from tests.contracts.testbed import SPARK, Deployed, Market, Testbed

GENESIS = 1_000_000 * SPARK
FEE = 250  # basis points


@dataclass(frozen=True)
class Chain:
    """eth-tester in this process, and a market on it."""

    tester: EthereumTester
    market: Market


@pytest.fixture(scope="session")
def _chain() -> Chain:
    tester = EthereumTester()

    def mine_at(timestamp: int) -> None:
        tester.time_travel(timestamp)
        tester.mine_block()

    bed = Testbed(Web3(EthereumTesterProvider(tester)), mine_at)
    token = bed.deploy_behind_proxy("SparkleToken", bed.admin, GENESIS)
    nft = bed.deploy_behind_proxy("SparkleNFT", bed.admin)
    marketplace = bed.deploy_behind_proxy(
        "SparkleMarketplace", bed.admin, nft.address, token.address, FEE, bed.treasury
    )
    return Chain(tester, Market(bed, token, nft, marketplace))


@pytest.fixture
def market(_chain: Chain) -> Iterator[Market]:
    snapshot = _chain.tester.take_snapshot()
    yield _chain.market
    _chain.tester.revert_to_snapshot(snapshot)


@pytest.fixture(scope="session")
def _governed(_chain: Chain) -> Hub:
    """Beside the market, on the same chain."""
    return deployed(_chain.market.bed)


@pytest.fixture
def hub(_governed: Hub, market: Market) -> Hub:
    """The deployment of the hub; what the test does to it is undone afterwards."""
    return _governed


@pytest.fixture
def bed(market: Market) -> Testbed:
    return market.bed


@pytest.fixture
def token(market: Market) -> Deployed:
    return market.token


@pytest.fixture
def nft(market: Market) -> Deployed:
    return market.nft

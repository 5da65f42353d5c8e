"""core_api.chain.contract_wallets: a wallet that is a contract, on a real chain."""

from collections.abc import AsyncIterator

import pytest

from core_api.chain.contract_wallets import LedgerContractWallets
from core_api.chain.errors import ChainUnavailable
from core_api.chain.ledger import ChainIdentity, Refused
from core_api.chain.ledger_rpc import RpcLedger
from core_api.chain.rpc import ChainClient
from core_api.chain.settings import ChainSettings
from tests.support.chain import ACCOUNTS, CHAIN_ID

DIGEST = b"\xd1" * 32
# calldata[0x04:0x24] == calldata[0x64:0x84], as 0 or 1, times the word that means yes: the signature of a digest
# is the digest itself. Then a wallet that reverts, one that answers 1 to everything, one that answers a yes too long.
TAKES_ITS_DIGEST = "6004356064351463 1626ba7e 60e01b02 600052 60206000f3"
REVERTS = "60006000fd"
SAYS_TRUE = "6001600052 60206000f3"
SAYS_TOO_MUCH = "631626ba7e60e01b600052 60406000f3"


def creation(runtime: str) -> str:
    """Code that creates a contract with this one."""
    code = bytes.fromhex(runtime)
    return "0x" + (bytes.fromhex(f"60{len(code):02x}600c60003960{len(code):02x}6000f3") + code).hex()


@pytest.fixture
async def client(chain_url: str) -> AsyncIterator[ChainClient]:
    client = ChainClient(chain_url, ChainSettings())
    yield client
    await client.close()


@pytest.fixture
def wallets(client: ChainClient) -> LedgerContractWallets:
    return LedgerContractWallets(RpcLedger(client, ChainSettings()))


async def deployed(client: ChainClient, runtime: str) -> bytes:
    deployment = {"from": ACCOUNTS[0], "data": creation(runtime), "gas": hex(500_000)}
    transaction = await client.request("eth_sendTransaction", deployment)
    receipt = await client.request("eth_getTransactionReceipt", transaction)
    return bytes.fromhex(receipt["contractAddress"][2:])


async def test_the_contract_says_which_signatures_are_its(client: ChainClient, wallets: LedgerContractWallets) -> None:
    wallet = await deployed(client, TAKES_ITS_DIGEST)
    for signature in (DIGEST, DIGEST + b"more"):
        assert await wallets.is_valid_signature(CHAIN_ID, wallet, DIGEST, signature)
    for signature in (b"", b"\xd2" * 32, DIGEST[:-1]):
        assert not await wallets.is_valid_signature(CHAIN_ID, wallet, DIGEST, signature)
    assert not await wallets.is_valid_signature(CHAIN_ID + 1, wallet, DIGEST, DIGEST)


@pytest.mark.parametrize("runtime", [REVERTS, SAYS_TRUE, SAYS_TOO_MUCH])
async def test_other_contracts_take_nothing(client: ChainClient, wallets: LedgerContractWallets, runtime: str) -> None:
    contract = await deployed(client, runtime)
    assert not await wallets.is_valid_signature(CHAIN_ID, contract, DIGEST, DIGEST)


async def test_an_account_without_code_takes_nothing(wallets: LedgerContractWallets) -> None:
    assert not await wallets.is_valid_signature(CHAIN_ID, bytes.fromhex(ACCOUNTS[0][2:]), DIGEST, DIGEST)


async def test_a_node_that_refuses_to_answer_says_nothing_of_a_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = RpcLedger(ChainClient(None, ChainSettings()), ChainSettings())

    async def refuse() -> ChainIdentity:
        raise Refused("daily request count exceeded")

    monkeypatch.setattr(ledger, "identity", refuse)
    with pytest.raises(ChainUnavailable):
        await LedgerContractWallets(ledger).is_valid_signature(CHAIN_ID, bytes(20), DIGEST, DIGEST)


async def test_without_a_chain_nothing_is_known() -> None:
    away = LedgerContractWallets(RpcLedger(ChainClient(None, ChainSettings()), ChainSettings()))
    with pytest.raises(ChainUnavailable):
        await away.is_valid_signature(CHAIN_ID, bytes(20), DIGEST, DIGEST)

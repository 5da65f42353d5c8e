"""How each kind of transaction is made of its arguments, and what its receipt means."""

import asyncio
from typing import NamedTuple, Protocol

from core_api.chain.contract_abi import Contract, contract
from core_api.chain.deployment_plan import STEPS
from core_api.chain.deployment_store import Deployment
from core_api.chain.ledger import Call, Ledger, Receipt
from core_api.chain.signer import Signer
from core_api.chain.transaction_store import TransactionStore
from core_api.chain.transactions import Transaction

NFT = "SparkleNFT"
CONTENT_TYPE_POST = 0
"""The first of SparkleNFT's ContentType."""


class Token(NamedTuple):
    """A token on its chain."""

    contract: str
    token_id: str


class Recipe(Protocol):
    """What the engine has to know of one kind of transaction."""

    async def prepare(self, transaction: Transaction, deployment: Deployment) -> Call | Token | None:
        """What to send. A Token: nothing, this is what it was to make. ``None``: not yet, something else comes first.

        Raises Reverted, Refused, ChainUnavailable.
        """
        ...

    async def result(self, receipt: Receipt, deployment: Deployment) -> Token | None:
        """The token that it made, if it makes any."""
        ...


class DeploymentRecipe:
    """The steps of a deployment, of both kinds."""

    def __init__(self, transactions: TransactionStore, signer: Signer) -> None:
        self._transactions = transactions
        self._signer = signer

    async def prepare(self, transaction: Transaction, deployment: Deployment) -> Call:
        """The step's call. What it needs was confirmed before it was queued."""
        done = {"hub": await self._signer.address()}
        for row in await self._transactions.of_deployment(deployment.id):
            if row.state == "confirmed":
                done[row.arguments["step"]] = row.contract or ""
        return await asyncio.to_thread(STEPS[transaction.arguments["step"]].make, done)

    async def result(self, receipt: Receipt, deployment: Deployment) -> None:
        """No token."""


class MintRecipe:
    """The token of a post."""

    def __init__(self, ledger: Ledger, *, royalty_bps: int) -> None:
        self._ledger = ledger
        self._royalty_bps = royalty_bps

    async def prepare(self, transaction: Transaction, deployment: Deployment) -> Call | Token | None:
        """``mintNFT``, unless the contract has a token of this content: whatever made it, there is to be no second."""
        address = deployment.contracts.get(NFT)
        if address is None:
            return None
        wanted = transaction.arguments
        content = bytes.fromhex(wanted["contentHash"])
        nft = await _nft()
        asked = await asyncio.to_thread(nft.call, "tokenOfContent", content)
        (token_id,) = nft.result("tokenOfContent", await self._ledger.call(Call(address, asked)))
        if token_id:
            return Token(address, str(token_id))
        # The post's author is its creator, who gets the royalties, whoever the token is minted for or sold to.
        owner = wanted["to"]
        arguments = (owner, owner, wanted["uri"], CONTENT_TYPE_POST, self._royalty_bps, False, content)
        return Call(address, nft.call("mintNFT", *arguments))

    async def result(self, receipt: Receipt, deployment: Deployment) -> Token | None:
        """From NFTMinted, if the NFT contract itself tells of it."""
        topic = (await _nft()).topic("NFTMinted")
        for entry in receipt.logs:
            if entry.address == deployment.contracts.get(NFT) and entry.topics[:1] == (topic,):
                return Token(entry.address, str(int(entry.topics[1], 16)))
        return None


async def _nft() -> Contract:
    return await asyncio.to_thread(contract, NFT)

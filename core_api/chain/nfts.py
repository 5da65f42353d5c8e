"""Tokens as the chain has them now: whose they are, whatever happened to them since the hub minted them."""

import asyncio
from typing import Any

from core_api.chain import addresses
from core_api.chain.contract_abi import contract
from core_api.chain.deployment_store import Deployment
from core_api.chain.deployments import Deployments
from core_api.chain.errors import ChainUnavailable
from core_api.chain.ledger import Call, Ledger, Refused, Reverted, topic_of_address
from core_api.chain.mints import OwnWallets
from core_api.chain.recipes import NFT
from core_api.chain.schema import Nfts, NftView
from core_api.chain.transaction_store import TransactionStore
from hub.kernel.errors import NotFound
from hub.kernel.ids import UserId

MOST = 100
"""Tokens of one answer. Each takes four calls."""
LARGEST = 2**256


class NftGallery:
    """The use cases of /blockchain/nfts."""

    def __init__(self, deployments: Deployments, ledger: Ledger, wallets: OwnWallets, store: TransactionStore) -> None:
        self._deployments = deployments
        self._ledger = ledger
        self._wallets = wallets
        self._store = store

    async def get(self, chain_id: int, contract_address: str, token_id: str) -> NftView:
        """A token of the hub's contract. Raises NotFound (also for other contracts), NotDeployed, ChainUnavailable."""
        deployment, address = await self._nft()
        asked = contract_address.lower()
        if (chain_id, asked) != (deployment.identity.chain_id, address.lower()) or int(token_id) >= LARGEST:
            raise NotFound
        views = await self._views(deployment, address, [int(token_id)])
        if not views:
            raise NotFound
        return views[0]

    async def of_owner(self, owner: str) -> Nfts:
        """The tokens of an address, or of the wallet that somebody (an id) connected last. Empty for who has none.

        Raises InvalidPayload (the checksum of the address), NotDeployed, ChainUnavailable.
        """
        deployment, nft = await self._nft()
        if owner.startswith("0x"):
            address = await asyncio.to_thread(lambda: addresses.shown(addresses.parse(owner, "/owner")))
        elif (found := await self._wallets.wallet_of(UserId(owner), deployment.identity.chain_id)) is not None:
            address = found
        else:
            return Nfts(data=[])
        ids = await self._ever_received(nft, address)
        views = await self._views(deployment, nft, ids[:MOST])
        return Nfts(data=[view for view in views if view.owner == address])

    async def _nft(self) -> tuple[Deployment, str]:
        deployment = await self._deployments.ready()
        return deployment, deployment.contracts[NFT]

    async def _ever_received(self, nft: str, address: str) -> list[int]:
        """Tokens that ever came to an address, the latest first; those that it gave away since are among them."""
        topic = (await asyncio.to_thread(contract, NFT)).topic("Transfer")
        try:
            entries = await self._ledger.logs(nft, [topic, None, topic_of_address(address)])
        except Refused:  # many nodes limit the range of blocks
            raise ChainUnavailable("The chain's node does not search so far back.") from None
        return sorted({int(entry.topics[3], 16) for entry in entries}, reverse=True)

    async def _views(self, deployment: Deployment, nft: str, token_ids: list[int]) -> list[NftView]:
        posts = await self._store.posts_of(deployment.id, nft, [str(token_id) for token_id in token_ids])
        views = []
        for token_id in token_ids:
            view = await self._view(deployment, nft, token_id, posts.get(str(token_id)))
            if view is not None:
                views.append(view)
        return views

    async def _view(self, deployment: Deployment, nft: str, token_id: int, post_id: str | None) -> NftView | None:
        try:
            (owner,) = await self._ask(nft, "ownerOf", token_id)
            (uri,) = await self._ask(nft, "tokenURI", token_id)
            (locked,) = await self._ask(nft, "locked", token_id)
            ((creator, *_),) = await self._ask(nft, "info", token_id)
        except Reverted:  # never minted, or burned since
            return None
        return NftView(
            chain_id=deployment.identity.chain_id,
            contract=nft,
            token_id=str(token_id),
            owner=await _checksummed(owner),
            creator=await _checksummed(creator),
            token_uri=uri,
            locked=locked,
            post_id=post_id,
        )

    async def _ask(self, nft: str, function: str, token_id: int) -> tuple[Any, ...]:
        abi = await asyncio.to_thread(contract, NFT)
        asked = await asyncio.to_thread(abi.call, function, token_id)
        try:
            return abi.result(function, await self._ledger.call(Call(nft, asked)))
        except (ValueError, Refused):
            raise ChainUnavailable("The contract does not answer as SparkleNFT does.") from None


async def _checksummed(address: str) -> str:
    return await asyncio.to_thread(lambda: addresses.shown(bytes.fromhex(address[2:])))

"""Wallets, mints and tokens by GraphQL, on a whole node and a real chain."""

from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct

from tests.support.chain import CHAIN_ID
from tests.support.graphql_client import GraphQL
from tests.support.hub import running_hub, settings
from tests.support.rest import Rest
from tests.support.wait import until

CONNECT = """mutation($address: String!, $message: String!, $signature: String!) {
    connectWallet(address: $address, message: $message, signature: $signature) {address chainId}
}"""
MINT = "mutation($id: ID!) {mintNFT(postId: $id) {transactionId state}}"
OWNED = "query($owner: String!) {nftsByOwner(owner: $owner) {chainId contract tokenId owner postId}}"
TOKEN = """query($chain: BigInt!, $contract: String!, $id: String!) {
    nft(chainId: $chain, contract: $contract, tokenId: $id) {chainId contract tokenId owner postId}
}"""
MINTED_S = 60.0
"""The first mint deploys the contracts, too: 4 s, on a machine with other work 30."""


async def test_a_post_is_minted_for_a_connected_wallet(
    database_url: str, redis_url: str, chain_url: str, tmp_path: Path
) -> None:
    more = {"CHAIN_RPC_URL": chain_url, "SPARKLE_CHAIN_DEPLOY": "true", "SPARKLE_DATA": str(tmp_path)}
    async with running_hub(settings(database_url, redis_url, more)) as hub, Rest(hub.url) as rest:
        ada = await rest.sign_up("ada")
        graphql = GraphQL(hub.http, hub.url, ada.token)
        post = await rest.post_article(ada)
        assert await graphql.code(MINT, id=post["id"]) == "wallet_required"
        account = Account.create()
        wanted = {"address": account.address, "chainId": CHAIN_ID}
        message = (await rest.post("/blockchain/wallet/nonce", ada, json=wanted)).expect(201)["message"]
        signature = "0x" + bytes(account.sign_message(encode_defunct(text=message)).signature).hex()
        proof = {"address": account.address, "message": message, "signature": signature}
        connected = await graphql.data(CONNECT, **proof)
        assert connected["connectWallet"] == {"address": account.address, "chainId": CHAIN_ID}
        assert await graphql.code(CONNECT, **proof | {"signature": "0x12"}) != "internal"

        first, second = await graphql.data(MINT, id=post["id"]), await graphql.data(MINT, id=post["id"])
        assert first["mintNFT"]["transactionId"] == second["mintNFT"]["transactionId"]

        async def tokens() -> Any:
            answer = await graphql.post(OWNED, owner=ada.id)  # `not_deployed` at first
            found = answer["data"] and answer["data"]["nftsByOwner"]
            return found if found and found[0]["postId"] else None  # the chain has it before our row says of what

        (token,) = await until(tokens, MINTED_S)
        assert (token["owner"], token["postId"]) == (account.address, post["id"])
        asked = {"chain": token["chainId"], "contract": token["contract"], "id": token["tokenId"]}
        assert await graphql.data(TOKEN, **asked) == {"nft": token}
        assert await graphql.data(TOKEN, **asked | {"id": "999"}) == {"nft": None}
        assert await graphql.code(TOKEN, **asked | {"id": "-1"}) == "invalid_payload"


async def test_a_hub_without_a_chain_says_so(database_url: str, redis_url: str, tmp_path: Path) -> None:
    chosen = settings(database_url, redis_url, {"SPARKLE_DATA": str(tmp_path)})
    async with running_hub(chosen) as hub, Rest(hub.url) as rest:
        ada = await rest.sign_up("ada")
        post = await rest.post_article(ada)
        graphql = GraphQL(hub.http, hub.url, ada.token)
        refused = await graphql.error(MINT, id=post["id"])
        plain = await rest.post("/blockchain/nft/mint", ada, json={"postId": post["id"]})
        assert refused["extensions"]["code"] == plain.body["code"]

"""Minting over REST and Socket.IO, as the author of a post does it, on a whole node and a real chain."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from hub.kernel.ids import new_uuid
from tests.support.chain import CHAIN_ID
from tests.support.hub import running_hub, settings
from tests.support.rest import Person, Rest
from tests.support.servers import Servers
from tests.support.socket_client import socket_client
from tests.support.wait import until

MINTED_S = 60.0
"""The first mint deploys the contracts, too: 4 s, on a machine with other work 30."""


@dataclass
class Scene:
    rest: Rest
    ada: Person
    bob: Person

    async def mint(self, post_id: str, by: Person) -> Any:
        return await self.rest.post("/blockchain/nft/mint", by, json={"postId": post_id})

    async def connect_wallet(self, person: Person) -> str:
        """The address of a new wallet."""
        account = Account.create()
        wanted = {"address": account.address, "chainId": CHAIN_ID}
        message = (await self.rest.post("/blockchain/wallet/nonce", person, json=wanted)).expect(201)["message"]
        signature = "0x" + bytes(account.sign_message(encode_defunct(text=message)).signature).hex()
        proof = {"address": account.address, "message": message, "signature": signature}
        (await self.rest.post("/blockchain/wallet/connect", person, json=proof)).expect(201)
        return str(account.address)


@pytest.fixture(scope="module")
def deployed(
    servers: Servers, chain_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, dict[str, str]]]:
    """A database and settings, kept, so that only the first of its hubs deploys the contracts."""
    data = tmp_path_factory.mktemp("data")
    with servers.fresh_database() as url:
        yield url, {"CHAIN_RPC_URL": chain_url, "SPARKLE_CHAIN_DEPLOY": "true", "SPARKLE_DATA": str(data)}


@pytest.fixture
async def scene(deployed: tuple[str, dict[str, str]], redis_url: str) -> AsyncIterator[Scene]:
    database_url, more = deployed
    async with running_hub(settings(database_url, redis_url, more)) as hub, Rest(hub.url) as rest:
        yield Scene(rest, await rest.sign_up("ada"), await rest.sign_up("bob"))


async def test_an_author_mints_a_post_and_is_told_of_it_until_the_token_is_theirs(scene: Scene) -> None:
    rest, ada = scene.rest, scene.ada
    address = await scene.connect_wallet(ada)
    post = await rest.post_article(ada)
    async with socket_client(rest.url, ada.token) as socket:
        answer = await scene.mint(post["id"], ada)
        job = answer.expect(202)
        assert answer.headers["Location"].endswith(f"/blockchain/transactions/{job['transactionId']}")
        repeated = (await scene.mint(post["id"], ada)).expect(202)
        assert repeated["transactionId"] == job["transactionId"]
        told = [await socket.expect("chain:transaction", timeout_s=MINTED_S) for _ in range(3)]
    assert [event["state"] for event in told] == ["queued", "submitted", "confirmed"]
    assert {event["transactionId"] for event in told} == {job["transactionId"]}
    shown = (await rest.get(f"/blockchain/transactions/{job['transactionId']}", ada)).expect(200)
    assert (shown["state"], shown["postId"], shown["tokenId"]) == ("confirmed", post["id"], told[-1]["tokenId"])
    (chain,) = (await rest.get("/blockchain/chains")).expect(200)["data"]
    assert (chain["chainId"], chain["contracts"]["SparkleNFT"]) == (CHAIN_ID, shown["contract"])

    token = (await rest.get(f"/blockchain/nfts/{CHAIN_ID}/{shown['contract']}/{shown['tokenId']}")).expect(200)
    assert (token["owner"], token["creator"], token["postId"]) == (address, address, post["id"])
    document = (await rest.get(f"/blockchain/blocks/{token['tokenUri'].removeprefix('ipfs://')}")).expect(200)
    assert document["name"] == post["title"]
    for owner in (address, address.lower(), ada.id):
        assert (await rest.get(f"/blockchain/nfts?owner={owner}")).expect(200)["data"] == [token]
    assert (await rest.get(f"/blockchain/nfts?owner={scene.bob.id}")).expect(200)["data"] == []

    page = (await rest.get("/blockchain/transactions", ada)).expect(200)
    assert [one["id"] for one in page["data"]] == [job["transactionId"]]
    assert (await rest.get("/blockchain/transactions", scene.bob)).expect(200)["data"] == []
    refused = (await rest.get(f"/blockchain/transactions/{job['transactionId']}", scene.bob)).expect(404)
    assert refused["code"] == "not_found"


async def test_what_cannot_be_minted_is_refused_and_queues_nothing(scene: Scene) -> None:
    rest, ada, bob = scene.rest, scene.ada, scene.bob
    post = await rest.post_article(ada)
    draft = await rest.post_article(ada, status="DRAFT")
    assert (await scene.mint(post["id"], ada)).expect(409)["code"] == "wallet_required"
    assert (await scene.mint(post["id"], bob)).expect(403)["code"] == "forbidden"
    assert (await scene.mint(draft["id"], ada)).expect(409)["code"] == "conflict"
    assert (await scene.mint(draft["id"], bob)).expect(404)["code"] == "not_found"
    assert (await scene.mint(new_uuid(), ada)).expect(404)["code"] == "not_found"
    assert (await scene.mint("no id", ada)).expect(422)["code"] == "invalid_payload"
    (await rest.post("/blockchain/nft/mint", json={"postId": post["id"]})).expect(401)
    assert (await rest.get("/blockchain/transactions", ada)).expect(200)["data"] == []


async def test_what_is_no_token_of_the_hub_is_not_found(scene: Scene) -> None:
    rest = scene.rest
    contract = await until(lambda: _nft(rest), MINTED_S) or ""
    for path in (
        f"{CHAIN_ID}/{contract}/999",
        f"{CHAIN_ID}/{contract}/{2**256 - 1}",
        f"{CHAIN_ID}/{contract}/{2**256}",
        f"1/{contract}/1",
        f"{CHAIN_ID}/{'0x' + '1' * 40}/1",
    ):
        assert (await rest.get(f"/blockchain/nfts/{path}")).expect(404)["code"] == "not_found"
    for path in (f"{CHAIN_ID}/{contract}/-1", f"{CHAIN_ID}/{contract}/1e3", f"{CHAIN_ID}/0x12/1", f"0/{contract}/1"):
        assert (await rest.get(f"/blockchain/nfts/{path}")).status in {404, 422}
    mistyped = contract[:2] + contract[2:].swapcase()
    assert (await rest.get(f"/blockchain/nfts?owner={mistyped}")).expect(422)["code"] == "invalid_payload"
    assert (await rest.get("/blockchain/nfts")).expect(422)["code"] == "invalid_payload"


async def test_a_hub_without_a_chain_says_so_and_works(database_url: str, redis_url: str, tmp_path: Path) -> None:
    chosen = settings(database_url, redis_url, {"SPARKLE_DATA": str(tmp_path)})
    async with running_hub(chosen) as hub, Rest(hub.url) as rest:
        ada = await rest.sign_up("ada")
        post = await rest.post_article(ada)
        mint = await rest.post("/blockchain/nft/mint", ada, json={"postId": post["id"]})
        assert mint.expect(503)["code"] == "chain_unavailable"
        assert (await rest.get("/blockchain/chains")).expect(200)["data"] == []
        assert (await rest.get("/blockchain/transactions", ada)).expect(200)["data"] == []


async def _nft(rest: Rest) -> str | None:
    (chain,) = (await rest.get("/blockchain/chains")).expect(200)["data"]
    address: str | None = chain["contracts"].get("SparkleNFT")
    return address

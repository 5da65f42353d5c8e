"""Wallets and blocks over HTTP: the answers as programs see them."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from eth_account import Account
from eth_account.messages import encode_defunct

from core_api.chain.blocks_postgres import PostgresBlocks
from core_api.chain.cid import Cid
from core_api.chain.metadata import MetadataLibrary
from core_api.chain.routes_blocks import blocks_api
from core_api.chain.routes_wallets import wallets_api
from core_api.chain.unixfs import add
from core_api.chain.wallet_settings import WalletSettings
from core_api.chain.wallet_store_postgres import PostgresWallets
from core_api.chain.wallets import Wallets
from hub.kernel.events import Actor
from hub.kernel.ids import SessionId, UserId, new_uuid
from hub.storage.answers import PostgresAnswers
from hub.storage.postgres import create_pool
from hub.transport import middleware, rest
from tests.support.accounts import CountingLimiter
from tests.support.clock import FrozenClock

BASE = "/api/v1/blockchain"
ADA = UserId(new_uuid())
KEY = Account.from_key(b"\1" * 32)
ORIGIN = "https://hub.example"


class Tokens:
    """Implements hub.kernel.ports.Authenticator: every token is Ada's."""

    async def authenticate(self, access_token: str) -> Any:
        return SimpleNamespace(actor=Actor(ADA, SessionId("s")), expires_at_ms=0)


class Chains:
    """Implements core_api.chain.wallets.ChainIds."""

    async def ids(self) -> frozenset[int]:
        return frozenset({31_337})


@dataclass
class Http:
    """Ada's client, and the block store behind the hub."""

    client: TestClient[web.Request, web.Application]
    blocks: PostgresBlocks
    pool: asyncpg.Pool

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        headers = {"Authorization": "Bearer ada"} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.request(method, BASE + path, json=body, headers=headers) as response:
            return response.status, await response.json(content_type=None) if response.status != 204 else None


@pytest.fixture
async def http(database_url: str) -> AsyncIterator[Http]:
    pool, clock = await create_pool(database_url, size=4), FrozenClock()
    wallets = Wallets(
        PostgresWallets(pool), Chains(), CountingLimiter(), clock, WalletSettings(), origin=lambda: ORIGIN
    )
    blocks = PostgresBlocks(pool)
    apis = [wallets_api(wallets), blocks_api(MetadataLibrary(blocks, origin=lambda: ORIGIN))]
    app = web.Application(middlewares=[middleware.scope])
    rest.add_endpoints(app, apis, Tokens(), PostgresAnswers(pool, clock))
    async with TestClient(TestServer(app)) as client:
        yield Http(client, blocks, pool)
    await pool.close()


async def proof(http: Http) -> dict[str, Any]:
    status, issued = await http.ask("POST", "/wallet/nonce", {"address": KEY.address, "chainId": 31_337})
    assert (status, list(issued)) == (201, ["message"])
    signature = KEY.sign_message(encode_defunct(text=issued["message"])).signature
    return {"address": KEY.address, "message": issued["message"], "signature": "0x" + bytes(signature).hex()}


async def test_a_wallet_is_connected_listed_and_disconnected(http: Http) -> None:
    status, wallet = await http.ask("POST", "/wallet/connect", await proof(http))
    assert status == 201
    connected_at = "2027-01-15T08:00:00Z"
    assert wallet == {"id": wallet["id"], "address": KEY.address, "chainId": 31_337, "connectedAt": connected_at}
    assert await http.ask("GET", "/wallets") == (
        200,
        {"data": [wallet], "pageInfo": {"nextCursor": None, "hasNext": False}},
    )
    assert await http.ask("DELETE", f"/wallets/{wallet['id']}") == (204, None)
    status, problem = await http.ask("DELETE", f"/wallets/{wallet['id']}")
    assert (status, problem["code"]) == (404, "not_found")


async def test_a_repeat_under_its_idempotency_key_gets_the_first_answer(http: Http) -> None:
    body = await proof(http)
    first = await http.ask("POST", "/wallet/connect", body, Idempotency_Key="k")
    assert first[0] == 201
    assert await http.ask("POST", "/wallet/connect", body, Idempotency_Key="k") == first
    status, problem = await http.ask("POST", "/wallet/connect", body)
    assert (status, problem["code"], problem["temporary"]) == (409, "nonce_used", False)


async def test_refusals_are_problem_documents_of_the_catalogue(http: Http) -> None:
    body = await proof(http)
    status, problem = await http.ask("POST", "/wallet/connect", body | {"signature": "0x" + "11" * 65})
    assert (status, problem["code"]) == (422, "signature_invalid")
    altered = body["message"].replace("Connect this", "Connect that")
    status, problem = await http.ask("POST", "/wallet/connect", body | {"message": altered})
    assert (status, problem["code"], problem["errors"][0]["pointer"]) == (422, "invalid_payload", "/message")
    status, problem = await http.ask("POST", "/wallet/nonce", {"address": KEY.address, "chainId": 1})
    assert (status, problem["code"]) == (409, "wrong_chain")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"message": "a\0"}, "/message"),
        ({"message": "x" * 4097}, "/message"),
        ({"message": "\ud800"}, "/message"),
        ({"signature": "0xzz"}, "/signature"),
        ({"signature": "0x" + "0" * 4097}, "/signature"),
        ({"address": "0x" + "g" * 40}, "/address"),
        ({"address": KEY.address + "\n"}, "/address"),
        ({"userId": ADA}, "/userId"),
    ],
)
async def test_hostile_fields_are_named(http: Http, change: dict[str, str], pointer: str) -> None:
    body = {"address": KEY.address, "message": "text", "signature": "0x00"} | change
    status, problem = await http.ask("POST", "/wallet/connect", body)
    if change == {"message": "\ud800"}:  # no UTF-8 at all
        assert (status, problem["code"]) == (400, "malformed_body")
    else:
        assert (status, [error["pointer"] for error in problem["errors"]]) == (422, [pointer])


async def test_a_document_is_served_byte_for_byte_to_anybody(http: Http) -> None:
    document = b'{"name":"\xc3\xa9","attributes":[1, 2]}'
    (block,) = add(document)
    await http.blocks.put([block])
    async with http.client.get(f"{BASE}/blocks/{block.cid}") as response:
        assert (response.status, await response.read()) == (200, document)
        assert response.content_type == "application/json"
        etag = response.headers["ETag"]
    assert etag == f'"{hashlib.sha256(document).hexdigest()[:32]}"'
    async with http.client.get(f"{BASE}/blocks/{block.cid}", headers={"If-None-Match": etag}) as response:
        assert (response.status, await response.read()) == (304, b"")


async def test_other_names_have_no_document(http: Http) -> None:
    await http.blocks.put(add(b"{}", 0))
    for cid in (Cid.of(b"absent"), add(b"{}", 0)[0].cid):
        status, problem = await http.ask("GET", f"/blocks/{cid}")
        assert (status, problem["code"]) == (404, "not_found")
    status, problem = await http.ask("GET", "/blocks/..%2f..%2fetc")
    assert (status, problem["code"]) == (422, "invalid_payload")


async def test_a_damaged_block_is_not_served(http: Http, caplog: pytest.LogCaptureFixture) -> None:
    (block,) = add(b"{}")
    await http.blocks.put([block])
    await http.pool.execute("UPDATE chain_block SET data = 'x'")
    status, problem = await http.ask("GET", f"/blocks/{block.cid}")
    assert (status, problem["code"]) == (500, "internal")
    assert "is not what its name says" in caplog.text

"""The client of the chain's node, against a real one and against servers that misbehave."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from core_api.chain.errors import ChainUnavailable
from core_api.chain.refusals import RpcRefused
from core_api.chain.rpc import ChainClient
from core_api.chain.settings import ChainSettings
from tests.support.chain import ACCOUNTS, CHAIN_ID

ALICE, BOB = ACCOUNTS
REVERTS_WITH_NO = (
    "0x6064600c60003960646000fd08c379a0" + f"{32:064x}" + f"{2:064x}" + b"no".hex().ljust(64, "0")
)  # creation code: CODECOPY what follows it, REVERT with that
IMPATIENT = ChainSettings(request_timeout_s=0.3)


@pytest.fixture
async def client(chain_url: str) -> AsyncIterator[ChainClient]:
    client = ChainClient(chain_url, ChainSettings())
    yield client
    await client.close()


class FakeNode:
    """Answers with what the test sets; the only fake, for what no real node can be made to do."""

    def __init__(self) -> None:
        self.chain_id = 5
        self.answer: Callable[[dict[str, Any]], Awaitable[web.StreamResponse]] = self.usual

    async def usual(self, call: dict[str, Any]) -> web.StreamResponse:
        result = hex(self.chain_id) if call["method"] == "eth_chainId" else {"hash": "0x" + "ab" * 32}
        return web.json_response({"jsonrpc": "2.0", "id": call["id"], "result": result})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        return await self.answer(await request.json())


@pytest.fixture
async def fake() -> AsyncIterator[tuple[FakeNode, ChainClient]]:
    node, app = FakeNode(), web.Application()
    app.router.add_post("/v3/the-key", node.handle)
    async with TestServer(app) as server:
        client = ChainClient(f"http://user:the-password@127.0.0.1:{server.port}/v3/the-key?k=the-query", IMPATIENT)
        yield node, client
        await client.close()


async def test_a_call_gives_the_result(client: ChainClient) -> None:
    assert await client.request("eth_chainId") == hex(CHAIN_ID)
    balance = await client.request("eth_getBalance", bytes.fromhex(ALICE[2:]), "latest")
    assert int(balance, 16) > 0


async def test_the_identity_is_the_chain_id_and_the_first_block(client: ChainClient) -> None:
    chain_id, genesis = await client.chain_identity()
    assert chain_id == CHAIN_ID
    assert genesis == (await client.request("eth_getBlockByNumber", "0x0", False))["hash"]
    assert len(genesis) == 66


async def test_web3_works_over_it(client: ChainClient) -> None:
    w3 = await client.w3()
    assert await client.w3() is w3
    assert await w3.eth.chain_id == CHAIN_ID
    alice, bob = w3.to_checksum_address(ALICE), w3.to_checksum_address(BOB)
    before = await w3.eth.get_balance(bob)
    sent = await w3.eth.send_transaction({"from": alice, "to": bob, "value": w3.to_wei(1, "ether")})
    receipt = await w3.eth.wait_for_transaction_receipt(sent)
    assert receipt["status"] == 1
    assert await w3.eth.get_balance(bob) == before + 10**18


@pytest.mark.parametrize("over_web3", [False, True])
async def test_a_revert_keeps_its_code_data_and_reason(client: ChainClient, over_web3: bool) -> None:
    w3 = await client.w3()
    code = {"data": REVERTS_WITH_NO}
    call = w3.eth.call(cast("Any", code)) if over_web3 else client.request("eth_call", code, "latest")
    with pytest.raises(RpcRefused) as refused:
        await call
    assert (refused.value.code, refused.value.reason, refused.value.reverted) == (3, "no", True)


async def test_an_unknown_method_is_a_refusal_and_not_an_outage(client: ChainClient) -> None:
    with pytest.raises(RpcRefused) as refused:
        await client.request("eth_doWhatIMean")
    assert refused.value.code == -32601


async def test_without_an_address_there_is_no_chain() -> None:
    client = ChainClient(None, ChainSettings())
    for call in (client.request("eth_chainId"), client.chain_identity(), client.w3()):
        with pytest.raises(ChainUnavailable, match="no chain"):
            await call
    await client.close()


async def test_nobody_there_is_an_outage_and_said_once_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    client = ChainClient(f"http://127.0.0.1:{unused_port()}/the-key", IMPATIENT)
    caplog.set_level(logging.DEBUG)
    for _ in range(3):
        with pytest.raises(ChainUnavailable):
            await client.request("eth_chainId")
    await client.close()
    [record] = [one for one in caplog.records if one.name == "core_api.chain.rpc"]
    assert record.getMessage() == "the chain's node at 127.0.0.1 does not answer: ClientConnectorError"


BAD_ANSWERS = [
    "",
    "<html>bad gateway</html>",
    "[" * 5_000,
    "[]",
    "null",
    '{"jsonrpc": "2.0"}',
    '{"jsonrpc": "2.0", "id": 999, "result": "0x1"}',
    '{"jsonrpc": "2.0", "id": 1, "error": "no"}',
    '{"jsonrpc": "2.0", "id": 1, "error": {"code": "x", "message": 5}}',
    '{"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": "daily limit exceeded"}}',
]


@pytest.mark.parametrize("text", BAD_ANSWERS)
async def test_garbage_is_an_outage(fake: tuple[FakeNode, ChainClient], text: str) -> None:
    node, client = fake

    async def garbage(call: dict[str, Any]) -> web.Response:
        return web.Response(text=text)

    node.answer = garbage
    with pytest.raises(ChainUnavailable):
        await client.request("eth_chainId")


@pytest.mark.parametrize("status", [302, 401, 403, 404, 429, 500, 503])
async def test_every_status_but_200_is_an_outage(fake: tuple[FakeNode, ChainClient], status: int) -> None:
    node, client = fake

    async def answer(call: dict[str, Any]) -> web.Response:
        result = json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": "0x1"})
        return web.Response(status=status, text=result, headers={"Location": "http://127.0.0.1/elsewhere"})

    node.answer = answer
    with pytest.raises(ChainUnavailable):
        await client.request("eth_chainId")


async def test_silence_and_a_cut_connection_are_outages_and_it_recovers(fake: tuple[FakeNode, ChainClient]) -> None:
    node, client = fake
    released = asyncio.Event()

    async def silent(call: dict[str, Any]) -> web.StreamResponse:
        await released.wait()
        return await node.usual(call)

    async def cut(call: dict[str, Any]) -> web.StreamResponse:
        raise ConnectionResetError

    for answer in (silent, cut):
        node.answer = answer
        with pytest.raises(ChainUnavailable):
            await client.request("eth_chainId")
    released.set()
    node.answer = node.usual
    assert await client.request("eth_chainId") == "0x5"


async def test_an_endless_answer_is_cut(fake: tuple[FakeNode, ChainClient], monkeypatch: pytest.MonkeyPatch) -> None:
    node, client = fake
    monkeypatch.setattr("core_api.chain.rpc._MOST_BYTES", 10_000)

    async def long(call: dict[str, Any]) -> web.Response:
        return web.Response(body=b" " * 20_000)

    node.answer = long
    with pytest.raises(ChainUnavailable):
        await client.request("eth_chainId")


async def test_a_node_that_changes_its_chain_is_not_worked_with(fake: tuple[FakeNode, ChainClient]) -> None:
    node, client = fake
    assert (await client.chain_identity()).chain_id == 5
    node.chain_id = 6
    with pytest.raises(ChainUnavailable):
        await client.chain_identity()
    node.chain_id = 5
    assert (await client.chain_identity()).chain_id == 5


async def test_the_key_in_the_address_is_told_to_nobody(
    fake: tuple[FakeNode, ChainClient], caplog: pytest.LogCaptureFixture
) -> None:
    node, client = fake
    caplog.set_level(logging.DEBUG)

    async def broken(call: dict[str, Any]) -> web.Response:
        return web.Response(status=500)

    async def cut(call: dict[str, Any]) -> web.StreamResponse:
        raise ConnectionResetError

    told = ""
    for answer in (broken, cut, node.usual):
        node.answer = answer
        try:
            await (await client.w3()).eth.chain_id
        except ChainUnavailable as error:
            told += f"{error!r} {error.to_wire()} {error.__cause__!r}"
    ours = "".join(one.getMessage() for one in caplog.records if not one.name.startswith("aiohttp"))
    for secret in ("the-key", "the-password", "the-query"):
        assert secret not in told + ours


async def test_closing_ends_what_is_under_way_and_all_after_it(fake: tuple[FakeNode, ChainClient]) -> None:
    node, client = fake
    asked = asyncio.Event()

    async def silent(call: dict[str, Any]) -> web.StreamResponse:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    node.answer = silent
    waiting = asyncio.gather(client.request("eth_chainId"), return_exceptions=True)
    await asked.wait()
    await client.close()
    [outcome] = await waiting
    assert isinstance(outcome, ChainUnavailable)
    with pytest.raises(ChainUnavailable):
        await client.request("eth_chainId")
    await client.close()


def test_web3_and_the_signer_leave_the_depth_of_recursion_alone(tmp_path: Path) -> None:
    check = f"""
import asyncio, pathlib, sys
from core_api.chain.rpc import ChainClient
from core_api.chain.settings import ChainSettings
from core_api.chain.signer import Signer
async def use():
    await ChainClient("http://127.0.0.1:1", ChainSettings()).w3()
    await Signer(pathlib.Path({str(tmp_path / "key")!r})).address()
before = sys.getrecursionlimit()
asyncio.run(use())
print(sys.getrecursionlimit() == before, "eth_account" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True True"


def test_importing_it_imports_nothing_heavy() -> None:
    check = "import sys, core_api.chain.rpc, hub.embedded.chain; print({'web3', 'eth', 'eth_abi'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

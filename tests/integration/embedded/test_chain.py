"""The chain process, with both engines: what nodes of Ethereum do, which the hub relies on."""

import json
import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest
from eth_account import Account

from tests.support.chain import ACCOUNTS, CHAIN_ID, ENGINES, KEYS, ChainProcess, RefusedError, running_chain
from tests.support.programs import children_of
from tests.support.wait import until_sync

ALICE, BOB = ACCOUNTS
GWEI = 10**9
TOPIC = "0x" + "00" * 31 + "63"
STORE_AND_LOG = "602a60005560076000526063602060 00a100".replace(" ", "")  # slot 0 = 42; log 7 with topic 0x63
NO = "0x08c379a0" + f"{32:064x}" + f"{2:064x}" + b"no".hex().ljust(64, "0")  # Error("no")


@pytest.fixture(scope="module", params=ENGINES)
def chain(request: pytest.FixtureRequest) -> Iterator[ChainProcess]:
    with running_chain(request.param) as process:
        yield process


@pytest.fixture
def manual(chain: ChainProcess) -> Iterator[ChainProcess]:
    """A chain that makes blocks only when told."""
    chain.call("evm_setAutomine", False)
    yield chain
    chain.call("anvil_mine", "0x1")
    chain.call("evm_setAutomine", True)


def creates(runtime: str) -> str:
    """The code that creates a contract with this code: CODECOPY it, RETURN it."""
    size = f"60{len(runtime) // 2:02x}"
    return f"0x{size}600c600039{size}6000f3{runtime}"


def reverts_with(returned: str) -> str:
    size = f"60{len(returned[2:]) // 2:02x}"
    return f"0x{size}600c600039{size}6000fd{returned[2:]}"


def signed(chain: ChainProcess, *, key: int = 0, **fields: Any) -> tuple[str, str]:
    """A transaction of one of the accounts, as raw bytes, and its hash."""
    transaction = {
        "type": 2,
        "chainId": CHAIN_ID,
        "nonce": int(chain.call("eth_getTransactionCount", ACCOUNTS[key], "latest"), 16),
        "to": Account.from_key(KEYS[1]).address,
        "value": 1,
        "gas": 21_000,
        "maxFeePerGas": 10 * GWEI,
        "maxPriorityFeePerGas": GWEI,
        **fields,
    }
    done = Account.sign_transaction(transaction, KEYS[key])
    return "0x" + done.raw_transaction.hex().removeprefix("0x"), "0x" + done.hash.hex().removeprefix("0x")


def nonce_of(chain: ChainProcess, tag: str, account: str = ALICE) -> int:
    return int(chain.call("eth_getTransactionCount", account, tag), 16)


def refusal(chain: ChainProcess, method: str, *params: Any) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        chain.call(method, *params)
    return refused.value


def receipt_of(chain: ChainProcess, transaction_hash: str) -> dict[str, Any]:
    """The receipt, once there is one: anvil answers a moment before its block is made."""
    receipt: dict[str, Any] = until_sync(lambda: chain.call("eth_getTransactionReceipt", transaction_hash))
    return receipt


def test_it_is_a_development_chain_with_known_accounts(chain: ChainProcess) -> None:
    assert int(chain.call("eth_chainId"), 16) == CHAIN_ID
    assert chain.call("net_version") == str(CHAIN_ID)
    assert chain.call("eth_accounts")[:2] == list(ACCOUNTS)
    assert chain.call("eth_syncing") is False
    with urllib.request.urlopen(chain.url) as answer:
        assert f"chain id {CHAIN_ID}" in answer.read().decode()


def test_a_signed_transaction_is_in_a_block_at_once(chain: ChainProcess) -> None:
    raw, transaction_hash = signed(chain)
    before = int(chain.call("eth_getBalance", BOB, "latest"), 16)
    assert chain.call("eth_sendRawTransaction", raw) == transaction_hash
    receipt = receipt_of(chain, transaction_hash)
    assert receipt["status"] == "0x1"
    assert receipt["from"] == ALICE
    assert receipt["gasUsed"] == hex(21_000)
    assert len(receipt["logsBloom"]) == 2 + 512
    block = chain.call("eth_getBlockByNumber", receipt["blockNumber"], False)
    assert block["transactions"] == [transaction_hash]
    assert chain.call("eth_getBlockByHash", block["hash"], True)["transactions"][0]["hash"] == transaction_hash
    transaction = chain.call("eth_getTransactionByHash", transaction_hash)
    assert (transaction["blockHash"], transaction["input"], transaction["value"]) == (block["hash"], "0x", "0x1")
    assert int(chain.call("eth_getBalance", BOB, "latest"), 16) == before + 1


def test_what_is_not_there_is_null(chain: ChainProcess) -> None:
    nothing = "0x" + "12" * 32
    for method in ("eth_getTransactionByHash", "eth_getTransactionReceipt"):
        assert chain.call(method, nothing) is None
    assert chain.call("eth_getBlockByHash", nothing, False) is None
    assert chain.call("eth_getBlockByNumber", "0xffffff", False) is None


def test_a_transaction_sent_twice_is_refused_in_words_that_say_so(chain: ChainProcess) -> None:
    raw, sent = signed(chain)
    chain.call("eth_sendRawTransaction", raw)
    receipt_of(chain, sent)
    assert "nonce too low" in refusal(chain, "eth_sendRawTransaction", raw).message
    count = nonce_of(chain, "latest")
    assert count == nonce_of(chain, "pending")


def test_one_ahead_of_its_turn_waits_and_is_shown_as_waiting(chain: ChainProcess) -> None:
    nonce = nonce_of(chain, "latest")
    later, later_hash = signed(chain, nonce=nonce + 1)
    chain.call("eth_sendRawTransaction", later)
    assert chain.call("eth_getTransactionReceipt", later_hash) is None
    waiting = chain.call("eth_getTransactionByHash", later_hash)
    assert waiting["blockNumber"] is None
    assert waiting["blockHash"] is None
    refused = refusal(chain, "eth_sendRawTransaction", later).message
    assert "already" in refused
    chain.call("eth_sendRawTransaction", signed(chain, nonce=nonce)[0])
    assert receipt_of(chain, later_hash)["status"] == "0x1"
    assert nonce_of(chain, "latest") == nonce + 2


def test_without_automine_a_transaction_can_be_replaced_until_a_block_is_made(manual: ChainProcess) -> None:
    nonce = nonce_of(manual, "latest")
    first, first_hash = signed(manual)
    manual.call("eth_sendRawTransaction", first)
    assert manual.call("eth_getTransactionReceipt", first_hash) is None
    assert (nonce_of(manual, "latest"), nonce_of(manual, "pending")) == (nonce, nonce + 1)
    cheap, _ = signed(manual, value=2)  # for the same fees; anvil, unlike geth, would be content with one wei more
    assert "replacement transaction underpriced" in refusal(manual, "eth_sendRawTransaction", cheap).message
    second, second_hash = signed(manual, maxFeePerGas=11 * GWEI, maxPriorityFeePerGas=11 * GWEI // 10)
    manual.call("eth_sendRawTransaction", second)
    manual.call("evm_mine")
    assert manual.call("eth_getTransactionReceipt", first_hash) is None
    assert receipt_of(manual, second_hash)["status"] == "0x1"


def test_a_waiting_transaction_whose_money_was_spent_is_dropped_and_harms_no_other(manual: ChainProcess) -> None:
    poor = Account.create()
    address = poor.address
    fund = {"from": ALICE, "to": address, "value": hex(10**17)}
    manual.call("eth_sendTransaction", fund)
    manual.call("evm_mine")
    fields = {"type": 2, "chainId": CHAIN_ID, "to": address, "gas": 21_000, "maxFeePerGas": 2 * GWEI}
    spends, lacks = (
        poor.sign_transaction(fields | {"nonce": n, "maxPriorityFeePerGas": GWEI, "value": 0, **more})
        for n, more in ((0, {"to": Account.from_key(KEYS[1]).address, "value": 9 * 10**16}), (1, {"value": 5 * 10**16}))
    )
    for one in (spends, lacks):
        manual.call("eth_sendRawTransaction", "0x" + one.raw_transaction.hex().removeprefix("0x"))
    other = manual.call("eth_sendTransaction", {"from": BOB, "to": ALICE})
    manual.call("evm_mine")
    for one in (spends.hash.hex(), other):
        assert receipt_of(manual, "0x" + one.removeprefix("0x"))["status"] == "0x1"
    assert manual.call("eth_getTransactionReceipt", "0x" + lacks.hash.hex().removeprefix("0x")) is None


def test_what_does_not_fit_into_one_block_gets_the_next(manual: ChainProcess) -> None:
    gas = hex(16_000_000)  # by its limit; a block has 30 million
    sent = [manual.call("eth_sendTransaction", {"from": who, "to": BOB, "gas": gas}) for who in (ALICE, ALICE, BOB)]
    manual.call("anvil_mine", "0x3")
    for one in sent:
        assert receipt_of(manual, one)["status"] == "0x1"


def test_several_transactions_share_a_block_and_their_logs_are_numbered_in_it(manual: ChainProcess) -> None:
    nonce = nonce_of(manual, "latest")
    code = "0x" + STORE_AND_LOG  # as creation code: it logs, and creates a contract without code
    hashes = [
        manual.call("eth_sendRawTransaction", signed(manual, nonce=nonce + n, to=None, data=code, gas=100_000)[0])
        for n in range(2)
    ]
    manual.call("evm_mine")
    receipts = [receipt_of(manual, one) for one in hashes]
    assert receipts[0]["blockHash"] == receipts[1]["blockHash"]
    assert [one["transactionIndex"] for one in receipts] == ["0x0", "0x1"]
    assert [one["logs"][0]["logIndex"] for one in receipts] == ["0x0", "0x1"]
    asked = {"blockHash": receipts[0]["blockHash"]}
    assert [log["logIndex"] for log in manual.call("eth_getLogs", asked)] == ["0x0", "0x1"]


def test_a_contract_is_created_called_estimated_and_tells(chain: ChainProcess) -> None:
    created = chain.call("eth_sendTransaction", {"from": ALICE, "data": creates(STORE_AND_LOG)})
    contract = receipt_of(chain, created)["contractAddress"]
    assert chain.call("eth_getCode", contract, "latest") == "0x" + STORE_AND_LOG
    assert int(chain.call("eth_estimateGas", {"from": ALICE, "to": contract}), 16) > 21_000
    told = chain.call("eth_sendTransaction", {"from": ALICE, "to": contract})
    receipt = receipt_of(chain, told)
    assert int(chain.call("eth_getStorageAt", contract, "0x0", "latest"), 16) == 42
    [log] = receipt["logs"]
    assert (log["address"], log["topics"], int(log["data"], 16)) == (contract.lower(), [TOPIC], 7)
    everything = {"fromBlock": "0x0", "toBlock": "latest", "address": contract}
    for topics, found in (([], 1), ([TOPIC], 1), ([[ALICE.ljust(66, "0"), TOPIC]], 1), ([None, TOPIC], 0)):
        assert len(chain.call("eth_getLogs", everything | {"topics": topics})) == found
    assert chain.call("eth_getLogs", everything | {"address": [BOB]}) == []
    [again] = chain.call("eth_getLogs", everything)
    assert again["removed"] is False
    assert {key: again[key] for key in ("transactionHash", "blockHash", "data", "logIndex")} == {
        key: log[key] for key in ("transactionHash", "blockHash", "data", "logIndex")
    }


def test_a_revert_comes_with_its_data(chain: ChainProcess) -> None:
    for method in ("eth_call", "eth_estimateGas"):
        error = refusal(chain, method, {"from": ALICE, "data": reverts_with(NO)})
        assert (error.code, error.data) == (3, NO)
        assert error.message.startswith("execution reverted")


def test_a_failed_transaction_is_in_a_block_with_status_0(chain: ChainProcess) -> None:
    raw, transaction_hash = signed(chain, to=None, data=reverts_with(NO), gas=100_000)
    assert chain.call("eth_sendRawTransaction", raw) == transaction_hash
    assert receipt_of(chain, transaction_hash)["status"] == "0x0"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"value": 10**24}, "insufficient funds"),
        ({"gas": 20_999}, "intrinsic gas too low"),
        ({"gas": 10**9}, "gas"),
        ({"maxFeePerGas": 1, "maxPriorityFeePerGas": 1}, "max fee per gas less than block base fee"),
        ({"chainId": 1}, "chain id"),
        ({"maxPriorityFeePerGas": 20 * GWEI}, "fee"),
    ],
)
def test_a_transaction_that_cannot_be_executed_is_refused(
    chain: ChainProcess, fields: dict[str, int], words: str
) -> None:
    before = nonce_of(chain, "pending")
    assert words in refusal(chain, "eth_sendRawTransaction", signed(chain, **fields)[0]).message.lower()
    assert nonce_of(chain, "pending") == before


def test_fees_are_such_that_a_transaction_with_them_is_taken(chain: ChainProcess) -> None:
    tip = int(chain.call("eth_maxPriorityFeePerGas"), 16)
    base = int(chain.call("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
    history = chain.call("eth_feeHistory", "0x4", "latest", [50])
    assert len(history["baseFeePerGas"]) == len(history["gasUsedRatio"]) + 1
    assert int(history["baseFeePerGas"][-2], 16) == base
    assert int(chain.call("eth_gasPrice"), 16) > 0
    chain.call("eth_sendRawTransaction", signed(chain, maxFeePerGas=2 * base + tip, maxPriorityFeePerGas=tip)[0])


def test_tests_can_jump_in_time_and_go_back(chain: ChainProcess) -> None:
    def now() -> int:
        return int(chain.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    moment, number, before = chain.call("evm_snapshot"), chain.call("eth_blockNumber"), now()
    chain.call("evm_increaseTime", 86_400)
    chain.call("anvil_mine", "0x2")
    assert 86_400 <= now() - before < 86_500
    chain.call("evm_setNextBlockTimestamp", before + 200_000)
    chain.call("evm_mine")
    assert now() == before + 200_000
    lost = chain.call("eth_getBlockByNumber", "latest", False)["hash"]
    assert chain.call("evm_revert", moment) is True
    assert chain.call("eth_blockNumber") == number
    assert chain.call("eth_getBlockByHash", lost, False) is None
    chain.call("eth_sendRawTransaction", signed(chain)[0])


@pytest.mark.parametrize(
    "method_and_params",
    [
        ("eth_getBalance", ["0x12", "latest"]),
        ("eth_getBalance", [ALICE, "newest"]),
        ("eth_getBlockByNumber", []),
        ("eth_getLogs", ["everything"]),
        ("eth_getLogs", [{"topics": "all"}]),
        ("eth_call", [{"to": "nobody"}, "latest"]),
        ("eth_sendRawTransaction", ["0x"]),
        ("eth_sendRawTransaction", ["0x00"]),
        ("eth_sendRawTransaction", ["0x02c0"]),
        ("eth_sendRawTransaction", ["0x" + "ff" * 200]),
        ("eth_sendRawTransaction", ["0x04" + "c0" * 3]),
        ("eth_sendTransaction", [{"from": "0x" + "11" * 20, "to": BOB}]),
    ],
)
def test_nonsense_is_refused_and_does_no_harm(chain: ChainProcess, method_and_params: tuple[str, list[Any]]) -> None:
    method, params = method_and_params
    assert refusal(chain, method, *params).code in {-32000, -32602, -32003, -32603}
    assert chain.call("eth_chainId") == hex(CHAIN_ID)


def test_an_unknown_method_and_a_batch(chain: ChainProcess) -> None:
    assert refusal(chain, "eth_doWhatIMean").code == -32601
    batch = [{"jsonrpc": "2.0", "id": n, "method": m, "params": []} for n, m in enumerate(("eth_chainId", "eth_no"))]
    answers = chain.post(batch)
    assert answers[0]["result"] == hex(CHAIN_ID)
    assert answers[1]["error"]["code"] == -32601


def test_deep_nesting_does_not_end_the_process(chain: ChainProcess) -> None:
    deep = b"[" * 1_000_000
    if "anvil" not in chain.call("web3_clientVersion"):
        assert chain.post(deep)["error"]["code"] == -32700
        nested = b'{"jsonrpc":"2.0","id":1,"method":"eth_call","params":' + deep[:900] + b"]" * 900 + b"}"
        assert chain.post(nested)["error"]["code"] == -32602
    else:
        chain.post(deep)
    assert chain.call("eth_chainId") == hex(CHAIN_ID)


def test_large_and_foreign_requests_are_refused_before_they_are_read(chain: ChainProcess) -> None:
    with pytest.raises(HTTPError, match="413"):
        chain.post(b" " * (6 << 20))
    form = urllib.request.Request(chain.url, b"{}")  # as a page of another origin could send it
    with pytest.raises(HTTPError, match="415"):
        urllib.request.urlopen(form)


def test_it_stops_although_a_call_is_computing() -> None:
    loop_for_ever = {"data": "0x5b600056"}  # JUMPDEST PUSH1 0 JUMP: until a block's gas is used up, half a minute
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [loop_for_ever, "latest"]})
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with running_chain("eth-tester") as chain:
        address = urlsplit(chain.url)
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall((head + body).encode())
            with urllib.request.urlopen(chain.url) as answer:  # still answers: the computation is elsewhere
                assert answer.status == 200
            chain.program.send(signal.SIGTERM)
            assert chain.program.end(timeout_s=8.0) == 0, chain.program.output


@pytest.mark.parametrize("chain", ["eth-tester"], indirect=True)
def test_each_chain_in_memory_has_a_first_block_of_its_own(chain: ChainProcess) -> None:
    with running_chain("eth-tester") as other:
        hashes = [one.call("eth_getBlockByNumber", "0x0", False)["hash"] for one in (chain, other)]
    assert hashes[0] != hashes[1]


def test_anvil_keeps_its_chain(tmp_path: Path) -> None:
    with running_chain("anvil", tmp_path) as chain:
        genesis = chain.call("eth_getBlockByNumber", "0x0", False)["hash"]
        sent = chain.call("eth_sendRawTransaction", signed(chain)[0])
    with running_chain("anvil", tmp_path) as chain:
        assert chain.call("eth_getBlockByNumber", "0x0", False)["hash"] == genesis
        assert receipt_of(chain, sent)["status"] == "0x1"


def test_a_chain_that_somebody_has_seen_outlives_a_kill_of_anvil_at_once(tmp_path: Path) -> None:
    with running_chain("anvil", tmp_path) as chain:
        genesis = chain.call("eth_getBlockByNumber", "0x0", False)["hash"]
        [anvil] = children_of(chain.program.pid)
        os.kill(anvil, signal.SIGKILL)
        assert chain.program.end() == 1
        assert "anvil was killed by SIGKILL" in chain.program.output
    with running_chain("anvil", tmp_path) as chain:
        assert chain.call("eth_getBlockByNumber", "0x0", False)["hash"] == genesis


def test_a_stop_waits_until_anvil_has_given_its_state(tmp_path: Path) -> None:
    with running_chain("anvil", tmp_path) as chain:
        sent = chain.call("eth_sendRawTransaction", signed(chain)[0])
        [anvil] = children_of(chain.program.pid)
        os.kill(anvil, signal.SIGSTOP)  # as slow as can be
        until_sync(lambda: is_stopped(anvil))
        chain.program.send(signal.SIGTERM)
        until_sync(lambda: not is_listening(chain))  # all that is left to do is the last save
        assert chain.program.popen.poll() is None
        os.kill(anvil, signal.SIGCONT)
        assert chain.program.end() == 0, chain.program.output
    with running_chain("anvil", tmp_path) as chain:
        assert receipt_of(chain, sent)["status"] == "0x1"


def is_stopped(pid: int) -> bool:
    """Whether SIGSTOP has reached all of its threads, which takes a moment."""
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads)


def is_listening(chain: ChainProcess) -> bool:
    address = urlsplit(chain.url)
    with socket.socket() as client:
        return client.connect_ex((address.hostname, address.port)) == 0

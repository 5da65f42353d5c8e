"""The JSON-RPC methods of the chain in memory: parameters in, py-evm asked, results in the words of the standard."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from eth.exceptions import HeaderNotFound
from eth_utils.crypto import keccak

from hub.embedded.chain_evm import CHAIN_ID, PRIORITY_FEE_WEI, Evm
from hub.embedded.chain_json import (
    HASH_BYTES,
    INVALID_PARAMS,
    REFUSED,
    RpcError,
    address,
    block_tag,
    data,
    mapping,
    quantity,
    shown,
)
from hub.embedded.chain_server import answer
from hub.embedded.chain_shapes import logs_of, shown_block, shown_receipt, shown_transaction, shown_waiting

_STACK_BYTES = 64 << 20  # py-evm runs calls between contracts, up to 1024 deep, by recursion
_MOST_FEE_BLOCKS = 1024  # of eth_feeHistory, as in geth
_MOST_MINED = 1024  # by one call: each is 5 ms, and others wait meanwhile


class MemoryChain:
    """A `Chain`: its calls run one after another in a thread of its own."""

    description = f"py-evm in memory, chain id {CHAIN_ID}: ephemeral, all of it is gone when the hub stops"

    def __init__(self) -> None:
        threading.stack_size(_STACK_BYTES)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="evm")
        self._methods = Methods(Evm()).table()

    async def answer(self, body: bytes) -> bytes:
        """Carry out a request body; never raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, answer, self._methods, body)


class Methods:
    """Each takes JSON parameters and gives a JSON result, or raises RpcError."""

    def __init__(self, evm: Evm) -> None:
        self._evm = evm

    def table(self) -> Mapping[str, Callable[..., Any]]:
        """All methods by name. What is not here, clients hear, does not exist."""
        evm = self._evm
        return {
            "web3_clientVersion": lambda: "SparkleHub/py-evm",
            "web3_sha3": lambda raw: shown(keccak(data(raw))),
            "net_version": lambda: str(CHAIN_ID),
            "net_listening": lambda: True,
            "net_peerCount": lambda: "0x0",
            "eth_chainId": lambda: shown(CHAIN_ID),
            "eth_syncing": lambda: False,
            "eth_accounts": lambda: shown(evm.accounts),
            "eth_blockNumber": lambda: shown(evm.header("latest").block_number),
            "eth_gasPrice": lambda: shown(evm.base_fee + PRIORITY_FEE_WEI),
            "eth_maxPriorityFeePerGas": lambda: shown(PRIORITY_FEE_WEI),
            "eth_feeHistory": self._fee_history,
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBalance": lambda who, tag="latest": shown(self._state(tag).get_balance(address(who))),
            "eth_getCode": lambda who, tag="latest": shown(self._state(tag).get_code(address(who))),
            "eth_getStorageAt": self._storage_at,
            "eth_getTransactionCount": self._transaction_count,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getLogs": self._logs,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate_gas,
            "eth_sendTransaction": self._send,
            "eth_sendRawTransaction": lambda raw: shown(evm.send_raw(data(raw, "transaction"))),
            "evm_mine": lambda: shown(evm.mine()) and "0x0",
            "anvil_mine": self._mine,
            "evm_setAutomine": self._set_automine,
            "evm_increaseTime": self._increase_time,
            "evm_setNextBlockTimestamp": lambda at: evm.jump(quantity(at, "timestamp")),
            "evm_snapshot": lambda: shown(evm.save()),
            "evm_revert": lambda number: evm.restore(quantity(number, "snapshot")),
        }

    def _state(self, tag: object) -> Any:
        return self._evm.state(block_tag(tag))

    def _block_by_number(self, tag: object, full: object = False) -> Any:
        try:
            header = self._evm.header(block_tag(tag))
        except HeaderNotFound:
            return None
        return shown_block(self._evm.chain.get_block_by_header(header), full=bool(full))

    def _block_by_hash(self, block_hash: object, full: object = False) -> Any:
        try:
            header = self._evm.chain.get_block_header_by_hash(data(block_hash, "block hash", HASH_BYTES))
            if self._evm.header(header.block_number) != header:
                return None  # of a past that `evm_revert` undid
        except HeaderNotFound:
            return None
        return shown_block(self._evm.chain.get_block_by_header(header), full=bool(full))

    def _storage_at(self, who: object, slot: object, tag: object = "latest") -> str:
        value = self._state(tag).get_storage(address(who), quantity(slot, "slot"))
        return f"0x{value:064x}"

    def _transaction_count(self, who: object, tag: object = "latest") -> Any:
        sender = address(who)
        if tag == "pending":
            return shown(self._evm.next_nonce(sender))
        return shown(self._state(tag).get_nonce(sender))

    def _transaction(self, transaction_hash: object) -> Any:
        wanted = data(transaction_hash, "transaction hash", HASH_BYTES)
        if (found := self._evm.find(wanted)) is not None:
            return shown_transaction(*found)
        waiting = self._evm.pool.find(wanted)
        return None if waiting is None else shown_waiting(waiting)

    def _receipt(self, transaction_hash: object) -> Any:
        found = self._evm.find(data(transaction_hash, "transaction hash", HASH_BYTES))
        return None if found is None else shown_receipt(*found, self._evm.chain)

    def _logs(self, wanted: object) -> Any:
        given = mapping(wanted, "filter")
        first, last = self._range(given)
        addresses = [address(one) for one in _listed(given.get("address"))]
        topics = [[data(one, "topic", HASH_BYTES) for one in _listed(place)] for place in _listed(given.get("topics"))]
        return [
            shown(log)
            for block in self._evm.blocks_with_logs(first, last)
            for _, log in logs_of(block, block.get_receipts(self._evm.chain.chaindb))
            if _is_wanted(log, addresses, topics)
        ]

    def _range(self, given: Mapping[str, Any]) -> tuple[int, int]:
        """The first and the last block of a filter."""
        if "blockHash" in given:
            block = self._block_by_hash(given["blockHash"])
            if block is None or "fromBlock" in given or "toBlock" in given:
                raise RpcError(REFUSED, "unknown block, or a block hash together with a range")
            return int(block["number"], 16), int(block["number"], 16)
        head = self._evm.header("latest").block_number
        first, last = (block_tag(given.get(name, "latest")) for name in ("fromBlock", "toBlock"))
        numbers = [0 if tag == "earliest" else head if isinstance(tag, str) else tag for tag in (first, last)]
        return numbers[0], numbers[1]

    def _call(self, transaction: object, tag: object = "latest") -> Any:
        return shown(self._evm.call(**_asked(transaction), tag=block_tag(tag)))

    def _estimate_gas(self, transaction: object, tag: object = "latest") -> Any:
        asked = _asked(transaction)
        del asked["gas"]
        return shown(self._evm.estimate_gas(**asked, tag=block_tag(tag)))

    def _send(self, transaction: object) -> Any:
        given = mapping(transaction, "transaction")
        address(given.get("from"), "from")
        fees = {
            name: quantity(given[key], key)
            for name, key in (
                ("nonce", "nonce"),
                ("max_fee_per_gas", "gasPrice"),
                ("max_fee_per_gas", "maxFeePerGas"),
                ("max_priority_fee_per_gas", "maxPriorityFeePerGas"),
            )
            if key in given
        }
        return shown(self._evm.send_unlocked(**_asked(transaction), fees=fees))

    def _fee_history(self, count: object, newest: object = "latest", percentiles: object = None) -> Any:
        number = min(quantity(count, "block count"), _MOST_FEE_BLOCKS)
        last = self._evm.header(block_tag(newest)).block_number
        first = max(0, last + 1 - number)
        headers = [self._evm.header(one) for one in range(first, last + 1)]
        following = self._evm.header(last + 1) if last < self._evm.header("latest").block_number else None
        history: dict[str, Any] = {
            "oldest_block": first,
            "base_fee_per_gas": [
                *(header.base_fee_per_gas for header in headers),
                self._evm.base_fee if following is None else following.base_fee_per_gas,
            ],
            "gas_used_ratio": [header.gas_used / header.gas_limit for header in headers],
        }
        if isinstance(percentiles, list):
            history["reward"] = [[PRIORITY_FEE_WEI] * len(percentiles) for _ in headers]
        return shown(history)

    def _mine(self, count: object = 1) -> None:
        number = quantity(count, "count")
        if number > _MOST_MINED:
            raise RpcError(INVALID_PARAMS, f"at most {_MOST_MINED} blocks at once")
        for _ in range(number):
            self._evm.mine()

    def _set_automine(self, wanted: object) -> None:
        if not isinstance(wanted, bool):
            raise RpcError(INVALID_PARAMS, "invalid automine: true or false was expected")
        self._evm.automine = wanted

    def _increase_time(self, seconds: object) -> int:
        return self._evm.advance(quantity(seconds, "seconds"))


def _asked(transaction: object) -> dict[str, Any]:
    """What `Evm` needs of a transaction object; without a sender it is sent by the zero address, as in geth."""
    given = mapping(transaction, "transaction")
    return {
        "sender": address(given.get("from", "0x" + "00" * 20), "from"),
        "to": address(given["to"], "to") if "to" in given else b"",
        "value": quantity(given.get("value", 0), "value"),
        "data": data(given.get("input", given.get("data", "0x"))),
        "gas": quantity(given["gas"], "gas") if "gas" in given else None,
    }


def _listed(value: object) -> list[Any]:
    """A filter's member: absent, one value or a list of them."""
    return [] if value is None else value if isinstance(value, list) else [value]


def _is_wanted(log: Mapping[str, Any], addresses: list[bytes], topics: list[list[bytes]]) -> bool:
    """Whether it is of one of the addresses and has, at each place, one of the topics; an empty list means any."""
    if addresses and log["address"] not in addresses:
        return False
    return len(topics) <= len(log["topics"]) and all(
        not wanted or topic in wanted for wanted, topic in zip(topics, log["topics"], strict=False)
    )

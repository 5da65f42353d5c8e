"""A chain in this process with the hub's contracts on it, and a short way to use them."""

import ast
import contextlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
from eth_tester.exceptions import TransactionFailed
from hexbytes import HexBytes
from web3 import Web3
from web3.logs import DISCARD
from web3.types import TxParams

PROJECT = Path(__file__).parents[2]
ARTIFACTS = (PROJECT / "core_api/chain/artifacts", Path(__file__).parent / "artifacts")
SPARK = 10**18
DAY = 24 * 3600
YEAR = 365 * DAY
NOBODY = "0x" + "0" * 40
GAS = 8_000_000
"""More than anything here takes. With a limit given, nothing is run twice, once to find it out."""

POLL_S = 0.01
"""Between two looks for a receipt: anvil answers before its block is there, when others have the processor."""

Event = tuple[str, dict[str, Any]]


@cache
def artifact(name: str) -> dict[str, Any]:
    path = next(folder / f"{name}.json" for folder in ARTIFACTS if (folder / f"{name}.json").exists())
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


class Receipt:
    """What a transaction cost, and what the called contract told in it."""

    def __init__(self, gas: int, read_events: Callable[[], list[Event]]) -> None:
        self.gas = gas
        self._read_events = read_events

    @cached_property
    def events(self) -> list[Event]:
        """In their order. Read when they are asked for: decoding them all took 6 s of the 42 that these tests took."""
        return self._read_events()

    def event(self, name: str) -> dict[str, Any]:
        """The arguments of the only event of this name."""
        [arguments] = [arguments for told, arguments in self.events if told == name]
        return arguments


class Deployed:
    """A contract at an address. Overloaded functions are named by their signatures."""

    def __init__(self, w3: Web3, name: str, address: str) -> None:
        self._w3 = w3
        self._contract = w3.eth.contract(address=Web3.to_checksum_address(address), abi=artifact(name)["abi"])
        self.address = address

    def read(self, function: str, *arguments: Any) -> Any:
        return self._contract.functions[function](*arguments).call()

    def do(self, function: str, *arguments: Any, by: str) -> Receipt:
        """Send a transaction, which is mined at once. One that reverts raises TransactionFailed."""
        call = self._contract.functions[function](*arguments)
        sender: TxParams = {"from": Web3.to_checksum_address(by), "gas": GAS}
        receipt = self._w3.eth.wait_for_transaction_receipt(call.transact(sender), poll_latency=POLL_S)
        if receipt["status"] == 0:
            call.call(sender)  # raises, and has the reason, which the receipt has not
        assert receipt["status"] == 1, f"{function} failed when it was sent, and would not now"
        return Receipt(int(receipt["gasUsed"]), lambda: self._events(receipt))

    def data(self, function: str, *arguments: Any) -> str:
        """A call as others would make it."""
        encoded: str = self._contract.encode_abi(function, args=list(arguments))
        return encoded

    @contextlib.contextmanager
    def refuses(self, error: str) -> Iterator[None]:
        """What is done inside reverts with this error of the contract's, and with no other."""
        with pytest.raises(TransactionFailed) as caught:
            yield
        assert _error_name(self._contract.abi, str(caught.value)) == error

    def _events(self, receipt: Any) -> list[Event]:
        told = [
            (int(event["logIndex"]), str(event["event"]), dict(event["args"]))
            for kind in self._contract.abi
            if kind["type"] == "event"
            for event in self._contract.events[kind["name"]]().process_receipt(receipt, errors=DISCARD)
            if event["address"] == self._contract.address
        ]
        return [(name, arguments) for _, name, arguments in sorted(told, key=lambda event: event[0])]


class Testbed:
    """A chain whose node signs for everybody. ``admin`` deploys; the others are people."""

    __test__ = False

    def __init__(self, w3: Web3, mine_at: Callable[[int], object]) -> None:
        self.w3 = w3
        self._mine_at = mine_at
        accounts = [str(account) for account in w3.eth.accounts[:6]]
        self.admin, self.alice, self.bob, self.carol, self.author, self.treasury = accounts

    @property
    def now(self) -> int:
        """The time of the last block."""
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def pass_time(self, seconds: int) -> None:
        """The next block comes this much after the last one, at once."""
        self._mine_at(self.now + seconds)

    def deploy(self, name: str, *arguments: Any) -> Deployed:
        compiled = artifact(name)
        contract = self.w3.eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
        transaction = contract.constructor(*arguments).transact({"from": self.admin, "gas": GAS})
        receipt = self.w3.eth.wait_for_transaction_receipt(transaction, poll_latency=POLL_S)
        assert receipt["status"] == 1, f"{name} could not be deployed"
        return self.at(name, str(receipt["contractAddress"]))

    def deploy_behind_proxy(self, name: str, *arguments: Any) -> Deployed:
        """The contract through its proxy, initialised with these arguments."""
        implementation = self.deploy(name)
        proxy = self.deploy("SparkleProxy", implementation.address, implementation.data("initialize", *arguments))
        return self.at(name, proxy.address)

    def at(self, name: str, address: str) -> Deployed:
        return Deployed(self.w3, name, address)

    def send(self, to: str | None, data: bytes) -> str:
        """A transaction of ``admin``'s as it is; gives the address of what it created, if anything."""
        transaction: TxParams = {"from": self.admin, "data": HexBytes(data), "gas": GAS}
        if to is not None:
            transaction["to"] = Web3.to_checksum_address(to)
        sent = self.w3.eth.send_transaction(transaction)
        receipt = self.w3.eth.wait_for_transaction_receipt(sent, poll_latency=POLL_S)
        assert receipt["status"] == 1
        return str(receipt["contractAddress"] or "")


@dataclass(frozen=True)
class Market:
    """Token, NFT and marketplace; ``admin`` has all roles."""

    bed: Testbed
    token: Deployed
    nft: Deployed
    marketplace: Deployed

    def mint(self, to: str, *, royalty: int = 0, soulbound: bool = False, content: bytes = bytes(32)) -> int:
        """A token of `author`'s, and its number."""
        arguments = (to, self.bed.author, "ipfs://bafy", 0, royalty, soulbound, content)
        minted = self.nft.do("mintNFT", *arguments, by=self.bed.admin)
        return int(minted.event("NFTMinted")["tokenId"])

    def listed(self, seller: str, price: int, *, expires_at: int = 0, royalty: int = 0) -> int:
        """A new token of `seller`'s that is for sale."""
        token_id = self.mint(seller, royalty=royalty)
        self.nft.do("approve", self.marketplace.address, token_id, by=seller)
        self.marketplace.do("list", token_id, price, expires_at, by=seller)
        return token_id

    def fund(self, account: str, amount: int) -> None:
        """Give SPARK, which the marketplace may take."""
        self.token.do("transfer", account, amount, by=self.bed.admin)
        self.token.do("approve", self.marketplace.address, amount, by=account)

    def balance(self, account: str) -> int:
        return int(self.token.read("balanceOf", account))

    def owner(self, token_id: int) -> str:
        return str(self.nft.read("ownerOf", token_id))


def _error_name(abi: Any, message: str) -> str:
    """The name of a custom error, of which the chain's message has the bytes."""
    found = re.search(r"b(['\"]).*\1", message, re.DOTALL)
    assert found is not None, message
    selector = bytes(ast.literal_eval(found[0]))[:4]
    for entry in abi:
        if entry["type"] == "error":
            signature = f"{entry['name']}({','.join(argument['type'] for argument in entry['inputs'])})"
            if Web3.keccak(text=signature)[:4] == selector:
                return str(entry["name"])
    return f"not an error of this contract: {selector.hex()}"

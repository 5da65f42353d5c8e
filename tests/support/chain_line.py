"""A node of the hub on a chain, with faults between the two."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from core_api.chain.contract_abi import contract
from core_api.chain.errors import ChainUnavailable
from core_api.chain.ledger import Ledger
from core_api.chain.ledger_rpc import RpcLedger
from tests.support.mints import FAST, ChainNode, chain_node

EMPTY = "0x000000000000000000000000000000000000dEaD"


class Killed(BaseException):
    """The end of a node: nothing of the hub catches it."""


@dataclass
class Line:
    """What is between the hub and its node: a proxy for a ledger that can be cut, or fail in a chosen moment."""

    ledger: RpcLedger
    cut: bool = False
    calls: Counter[str] = field(default_factory=Counter)
    before: dict[str, Any] = field(default_factory=dict)
    """Method → coroutine function to run before its next call; what it raises, the call raises."""
    after: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.ledger, name)

        async def call(*arguments: Any) -> Any:
            self.calls[name] += 1
            if self.cut:
                raise ChainUnavailable
            if (step := self.before.pop(name, None)) is not None:
                await step()
            result = await method(*arguments)
            if (step := self.after.pop(name, None)) is not None:
                await step()
            return result

        return call


def node_on(pool: asyncpg.Pool, line: Line, key: Path, contracts: dict[str, str], **changes: Any) -> ChainNode:
    settings = msgspec.structs.replace(FAST, nft_address=contracts["SparkleNFT"], **changes)
    ledger: Ledger = line
    return chain_node(pool, ledger, key, settings)


async def tokens_of(line: Line, nft: str) -> int:
    return len(await line.ledger.logs(nft, [contract("SparkleNFT").topic("NFTMinted")]))


async def unavailable() -> None:
    raise ChainUnavailable


async def killed() -> None:
    raise Killed

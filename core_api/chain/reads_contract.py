"""Asking one of the hub's contracts, by the names of its functions."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from core_api.chain import addresses
from core_api.chain.contract_abi import contract
from core_api.chain.deployment_store import Deployment
from core_api.chain.errors import ChainUnavailable, NotDeployed
from core_api.chain.ledger import Call, Ledger, Refused, Reverted

END_OF_TIME_S = 253_402_300_800
"""The year 10000, in seconds since 1970: where dates end."""


class ContractReader:
    """A contract at its address. What it says is what the chain's last block has; two answers may be a block apart."""

    def __init__(self, ledger: Ledger, name: str, address: str) -> None:
        self.address = address
        self._ledger = ledger
        self._name = name

    async def ask(self, function: str, *arguments: Any) -> Any:
        """The result of a function that has one. Raises ChainUnavailable."""
        [result] = await self.ask_all(function, *arguments)
        return result

    async def ask_all(self, function: str, *arguments: Any) -> tuple[Any, ...]:
        """The results of a function. Raises ChainUnavailable, also for an answer that such a contract cannot give."""
        abi = await asyncio.to_thread(contract, self._name)  # read from the disk the first time
        asked = await asyncio.to_thread(abi.call, function, *arguments)
        try:
            return abi.result(function, await self._ledger.call(Call(self.address, asked)))
        except (ValueError, Reverted, Refused):
            raise ChainUnavailable(f"The contract does not answer as {self._name} does.") from None


def reader(ledger: Ledger, deployment: Deployment, name: str) -> ContractReader:
    """The contract of this name. Raises NotDeployed if the operator did not name it."""
    address = deployment.contracts.get(name)
    if address is None:
        raise NotDeployed(f"The hub works without {name} on this chain.")
    return ContractReader(ledger, name, address)


async def checksummed(address: str) -> str:
    """An address as contracts give it, the way people compare it (EIP-55)."""
    return await asyncio.to_thread(lambda: addresses.shown(bytes.fromhex(address[2:])))


def moment(seconds: int) -> datetime | None:
    """A time of a contract. ``None`` for 0 and for what is beyond all dates: anybody may write such a number there."""
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < END_OF_TIME_S else None

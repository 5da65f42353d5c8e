"""Wallets that are contracts, asked on the chain whether they take a signature for theirs (EIP-1271)."""

import asyncio
from typing import Final

from core_api.chain import addresses
from core_api.chain.errors import ChainUnavailable
from core_api.chain.ledger import Call, Ledger, Refused, Reverted

IS_VALID_SIGNATURE: Final = bytes.fromhex("1626ba7e")
"""Selector of ``isValidSignature(bytes32,bytes)``, and what it returns for yes."""


class LedgerContractWallets:
    """Implements core_api.chain.wallets.ContractWallets."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def is_valid_signature(self, chain_id: int, address: bytes, digest: bytes, signature: bytes) -> bool:
        """Ask the contract. An account without code says no, and so does a contract that fails or answers otherwise."""
        contract = await asyncio.to_thread(addresses.shown, address)
        try:
            is_there = (await self._ledger.identity()).chain_id == chain_id and await self._ledger.has_code(contract)
        except Refused:  # no contract has spoken yet: it is the node that does not want to, as above its own limits
            raise ChainUnavailable from None
        if not is_there:
            return False
        try:
            answer = await self._ledger.call(Call(contract, _question(digest, signature)))
        except (Reverted, Refused):
            return False
        # The whole word: a fallback that echoes its input, or returns true for everything, is no yes.
        return answer == IS_VALID_SIGNATURE.ljust(32, b"\0")


def _question(digest: bytes, signature: bytes) -> bytes:
    """The call by Solidity's ABI: two words of arguments, then the signature's length and its bytes in full words."""
    padding = bytes(-len(signature) % 32)
    return IS_VALID_SIGNATURE + digest + _word(64) + _word(len(signature)) + signature + padding


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")

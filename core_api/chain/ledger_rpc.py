"""The ledger by JSON-RPC."""

import asyncio
from typing import Any

from core_api.chain import addresses
from core_api.chain.errors import ChainUnavailable
from core_api.chain.ledger import Call, ChainIdentity, Fees, Log, Receipt, Refused, Reverted
from core_api.chain.refusals import RpcRefused
from core_api.chain.rpc import ChainClient
from core_api.chain.settings import ChainSettings

GWEI = 10**9
BASE_FEES = 2
"""Base fees to offer: the fee may rise for five full blocks (12.5 % each) before the offer is too low."""


class RpcLedger:
    """Implements core_api.chain.ledger.Ledger over a ChainClient."""

    def __init__(self, client: ChainClient, settings: ChainSettings) -> None:
        self._client = client
        self._most = round(settings.most_fee_gwei * GWEI)

    async def identity(self) -> ChainIdentity:
        """Chain id and first block, asked anew. A node that will not say is as good as none."""
        try:
            return await self._client.chain_identity()
        except RpcRefused:
            raise ChainUnavailable from None

    async def head(self) -> int:
        """eth_blockNumber."""
        return _number(await self._ask("eth_blockNumber"))

    async def nonce(self, address: str, block: int | None = None) -> int:
        """eth_getTransactionCount."""
        return _number(await self._ask("eth_getTransactionCount", address, "latest" if block is None else hex(block)))

    async def balance(self, address: str) -> int:
        """eth_getBalance."""
        return _number(await self._ask("eth_getBalance", address, "latest"))

    async def call(self, call: Call) -> bytes:
        """eth_call."""
        return _bytes(await self._ask("eth_call", _fields(call), "latest"))

    async def estimate(self, call: Call, sender: str) -> int:
        """eth_estimateGas."""
        return _number(await self._ask("eth_estimateGas", _fields(call) | {"from": sender}))

    async def fees(self) -> Fees | None:
        """Twice the base fee and the tip that the node suggests, within the operator's limit."""
        block = await self._ask("eth_getBlockByNumber", "latest", False)
        tip = _number(await self._ask("eth_maxPriorityFeePerGas"))
        base = _number(_field(block, "baseFeePerGas"))
        if base + tip > self._most:
            return None
        return Fees(most=min(BASE_FEES * base + tip, self._most), tip=tip)

    async def send(self, raw: bytes) -> None:
        """eth_sendRawTransaction. A node that knows the bytes, or has the nonce in a block, was sent them before."""
        try:
            await self._client.request("eth_sendRawTransaction", raw)
        except RpcRefused as error:
            if not (error.already_known or error.nonce_too_low):
                raise Refused(error.message) from error

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        """eth_getTransactionReceipt."""
        answer = await self._ask("eth_getTransactionReceipt", transaction_hash)
        if answer is None:
            return None
        created = _field(answer, "contractAddress")
        return Receipt(
            block_number=_number(_field(answer, "blockNumber")),
            block_hash=str(_field(answer, "blockHash")),
            succeeded=_number(_field(answer, "status")) == 1,
            contract=None if created is None else await _checksummed(created),
            logs=tuple([await _log(entry) for entry in _field(answer, "logs")]),
        )

    async def logs(self, address: str, topics: list[str | None]) -> list[Log]:
        """eth_getLogs, from the first block on."""
        wanted = {"address": address, "topics": topics, "fromBlock": "0x0", "toBlock": "latest"}
        return [await _log(entry) for entry in await self._ask("eth_getLogs", wanted)]

    async def has_code(self, address: str) -> bool:
        """eth_getCode."""
        return bool(_bytes(await self._ask("eth_getCode", address, "latest")))

    async def rich_account(self) -> str | None:
        """The first of eth_accounts."""
        try:
            accounts = await self._ask("eth_accounts")
        except Refused:  # many nodes do not have the method
            return None
        return str(accounts[0]) if accounts else None

    async def give(self, giver: str, to: str, wei: int) -> None:
        """eth_sendTransaction."""
        await self._ask("eth_sendTransaction", {"from": giver, "to": to, "value": hex(wei)})

    async def _ask(self, method: str, *params: Any) -> Any:
        try:
            return await self._client.request(method, *params)
        except RpcRefused as error:
            raise _refusal(error) from error


def _refusal(error: RpcRefused) -> Reverted | Refused:
    return Reverted(error.message, _bytes(error.data or "0x")) if error.reverted else Refused(error.message)


def _fields(call: Call) -> dict[str, Any]:
    return {"data": call.data} | ({} if call.to is None else {"to": call.to})


def _number(value: Any) -> int:
    try:
        return int(value, 16)
    except (TypeError, ValueError):
        raise ChainUnavailable from None  # a node that answers no numbers is as good as none


def _bytes(value: Any) -> bytes:
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except (AttributeError, ValueError):
        raise ChainUnavailable from None


def _field(value: Any, name: str) -> Any:
    try:
        return value[name]
    except (TypeError, KeyError):
        raise ChainUnavailable from None


async def _log(entry: Any) -> Log:
    address = await _checksummed(_field(entry, "address"))
    return Log(address, tuple(str(topic) for topic in _field(entry, "topics")), _bytes(_field(entry, "data")))


async def _checksummed(address: Any) -> str:
    return await asyncio.to_thread(addresses.shown, _bytes(address))

"""Blocks, transactions, receipts and logs of py-evm in the words of the JSON-RPC standard."""

from collections.abc import Iterator, Sequence
from typing import Any

from eth_tester.backends.pyevm.serializers import (
    serialize_block,
    serialize_log,
    serialize_transaction,
    serialize_transaction_receipt,
)

from hub.embedded.chain_json import shown

_BLOOM_BYTES = 256


def shown_block(block: Any, *, full: bool) -> dict[str, Any]:
    """A block with the hashes of its transactions, or, `full`, with the transactions."""
    fields = serialize_block(block, False, False)
    fields["miner"] = fields.pop("coinbase")
    fields["logs_bloom"] = block.header.bloom.to_bytes(_BLOOM_BYTES, "big")
    if full:
        fields["transactions"] = [_transaction(block, index) for index in range(len(block.transactions))]
    return dict(shown(fields))


def shown_transaction(block: Any, index: int) -> dict[str, Any]:
    """A transaction of a block."""
    return dict(shown(_transaction(block, index)))


def shown_waiting(transaction: Any) -> dict[str, Any]:
    """A transaction that is in no block yet: its place is null."""
    return dict(shown(_renamed(serialize_transaction(None, transaction, None, True))))


def shown_receipt(block: Any, index: int, chain: Any) -> dict[str, Any]:
    """What became of a transaction of a block."""
    receipts = block.get_receipts(chain.chaindb)
    vm = chain.get_vm(block.header)
    fields = serialize_transaction_receipt(block, receipts, block.transactions[index], index, False, vm)
    del fields["state_root"]  # py-evm's name for the status, which is there too
    fields["to"] = fields["to"] or None
    fields["logs"] = [log for place, log in logs_of(block, receipts) if place == index]
    fields["logs_bloom"] = receipts[index].bloom.to_bytes(_BLOOM_BYTES, "big")
    return dict(shown(fields))


def logs_of(block: Any, receipts: Sequence[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every log of a block, raw, with the index of its transaction."""
    number = 0  # in the block; eth-tester counts within the transaction
    for index, receipt in enumerate(receipts):
        for log in receipt.logs:
            fields = serialize_log(block, block.transactions[index], index, log, number, False)
            del fields["type"]
            yield index, fields | {"removed": False}
            number += 1


def _transaction(block: Any, index: int) -> dict[str, Any]:
    return _renamed(serialize_transaction(block, block.transactions[index], index, False))


def _renamed(fields: dict[str, Any]) -> dict[str, Any]:
    fields["to"] = fields["to"] or None
    fields["input"] = fields.pop("data")
    return fields

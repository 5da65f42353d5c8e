"""An Ethereum chain in the memory of this process: py-evm, a block for each transaction, gone with the process.

Everything here takes milliseconds of computation, so it belongs into a thread of its own, one call at a time.
"""

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from eth.exceptions import HeaderNotFound, PyEVMError, Revert, VMError
from eth.exceptions import TransactionNotFound as NoTransaction
from eth.vm.spoof import SpoofTransaction
from eth_keys.exceptions import BadSignature
from eth_tester.backends.pyevm.main import PyEVMBackend
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException

from hub.embedded.chain_json import INVALID_PARAMS, REFUSED, RpcError
from hub.embedded.chain_pool import Pool
from hub.embedded.chain_revert import reverted

CHAIN_ID = 31_337
"""That of anvil and hardhat: tools take it for a development chain."""
MNEMONIC = "test test test test test test test test test test test junk"
"""The accounts of anvil and hardhat. Everybody knows the keys, so nothing of value can be sent by mistake."""
_HD_PATH = "m/44'/60'/0'/0"
_ACCOUNTS = 10
_BALANCE_WEI = 10_000 * 10**18
PRIORITY_FEE_WEI = 10**9
"""What is suggested as tip: one gwei, as by geth. Nobody competes for space here."""
_FEE_HEADROOM = 2
"""A fee of so many base fees stays enough for five full blocks; what ethers and web3 suggest."""


# All that py-evm, rlp and eth-keys raise for bytes that are no transaction, found by throwing bytes at them.
_NOT_DECODED = (PyEVMError, RLPException, ValidationError, BadSignature, TypeError, ValueError, IndexError)


class Evm:
    """A new chain, whose genesis differs from all others. Not thread-safe."""

    def __init__(self) -> None:
        self._backend = PyEVMBackend.from_mnemonic(
            MNEMONIC,
            num_accounts=_ACCOUNTS,
            hd_path=_HD_PATH,
            genesis_state_overrides={"balance": _BALANCE_WEI},
            # Whoever remembers contracts of an earlier chain tells by the genesis hash that they are gone.
            genesis_parameters=PyEVMBackend.generate_genesis_params({"extra_data": os.urandom(32)}),
        )
        type(self.chain).chain_id = CHAIN_ID  # the class is made for this one chain; its own number fits no tool
        self._keys = {key.public_key.to_canonical_address(): key for key in self._backend.account_keys}
        self._next_timestamp: int | None = None
        self._snapshots: list[bytes] = []
        self._ahead_s = 0
        self.automine = True
        """Whether each transaction gets a block at once."""
        self.pool = Pool()

    @property
    def chain(self) -> Any:
        """py-evm's chain. Its `header` is that of the block being made."""
        return self._backend.chain

    @property
    def accounts(self) -> list[bytes]:
        """Addresses whose transactions are signed here."""
        return list(self._keys)

    @property
    def base_fee(self) -> int:
        """Wei per gas that the next block burns."""
        return int(self.chain.header.base_fee_per_gas)

    def header(self, tag: int | str) -> Any:
        """The header of a block; raises HeaderNotFound. `pending` is the last one: nothing runs before its block."""
        if tag == "earliest":
            tag = 0
        if isinstance(tag, str):
            return self.chain.get_canonical_head()
        if tag >= self.chain.header.block_number:  # after `restore` the chain still has the blocks it left
            raise HeaderNotFound(f"block {tag} is not there yet")
        return self.chain.get_canonical_block_header_by_number(tag)

    def state(self, tag: int | str) -> Any:
        """py-evm's state after a block; raises RpcError when there is no such block."""
        try:
            return self.chain.get_vm(at_header=self.header(tag)).state
        except HeaderNotFound:
            raise RpcError(REFUSED, "header not found") from None

    def call(self, sender: bytes, to: bytes, value: int, data: bytes, gas: int | None, tag: int | str) -> bytes:
        """Run without leaving a trace; gives what it returned. Costs nothing, so the sender may be poor."""
        header = self._header_or_refuse(tag)
        transaction = self._unsigned(sender, to, value, data, gas or header.gas_limit)
        try:
            return bytes(self.chain.get_transaction_result(transaction, header))
        except (VMError, ValidationError) as error:
            raise _ended(error) from error

    def estimate_gas(self, sender: bytes, to: bytes, value: int, data: bytes, tag: int | str) -> int:
        """The least gas with which it succeeds."""
        header = self._header_or_refuse(tag)
        try:
            return int(self.chain.estimate_gas(self._unsigned(sender, to, value, data, header.gas_limit), header))
        except (VMError, ValidationError) as error:
            raise _ended(error) from error

    def send_raw(self, raw: bytes) -> bytes:
        """Take a signed transaction; gives its hash. It is in a block when this returns, unless a nonce is missing."""
        try:
            transaction = self.chain.get_transaction_builder().decode(raw)
            transaction.validate()
            if transaction.chain_id is None:
                raise RpcError(REFUSED, "only replay-protected (EIP-155) transactions allowed over RPC")
            if transaction.chain_id != CHAIN_ID:
                raise RpcError(REFUSED, f"invalid chain id for signer: have {transaction.chain_id} want {CHAIN_ID}")
            return self.send(transaction)
        except _NOT_DECODED as error:
            raise RpcError(REFUSED, f"the signed transaction cannot be decoded: {error}") from error

    def send_unlocked(
        self, sender: bytes, to: bytes, value: int, data: bytes, gas: int | None, fees: Mapping[str, int]
    ) -> bytes:
        """Sign for one of `accounts` and send. `fees`: nonce, max_fee_per_gas, max_priority_fee_per_gas."""
        if sender not in self._keys:
            raise RpcError(REFUSED, "unknown account")
        tip = fees.get("max_priority_fee_per_gas", min(PRIORITY_FEE_WEI, fees.get("max_fee_per_gas", PRIORITY_FEE_WEI)))
        unsigned = self.chain.get_transaction_builder().new_unsigned_dynamic_fee_transaction(
            chain_id=CHAIN_ID,
            nonce=fees.get("nonce", self.next_nonce(sender)),
            max_priority_fee_per_gas=tip,
            max_fee_per_gas=fees.get("max_fee_per_gas", _FEE_HEADROOM * self.base_fee + tip),
            gas=gas or self.estimate_gas(sender, to, value, data, "latest"),
            to=to,
            value=value,
            data=data,
            access_list=(),
        )
        return self.send(unsigned.as_signed_transaction(self._keys[sender]))

    def send(self, transaction: Any) -> bytes:
        """Check what a node's pool checks, take it, and make a block of what can be executed now."""
        state = self.state("latest")
        self._check(transaction, state.get_balance(transaction.sender))
        self.pool.add(transaction, state.get_nonce(transaction.sender))
        if self.automine:
            for ready in self.pool.ready(lambda address: int(self.state("latest").get_nonce(address))):
                refused = self._execute(ready)
                if refused is None:
                    self.mine()
                elif ready.hash == transaction.hash:
                    raise refused
        return bytes(transaction.hash)

    def next_nonce(self, sender: bytes) -> int:
        """Of `sender`, counting what waits."""
        return self.pool.next_nonce(sender, int(self.state("latest").get_nonce(sender)))

    def mine(self) -> bytes:
        """Make a block, with the transactions that wait if they are not mined by themselves; gives its hash.

        If they do not fit into one, as many as it takes.
        """
        self._set_time()
        if not self.automine:
            for ready in self.pool.ready(lambda address: int(self._pending_state().get_nonce(address))):
                if self.chain.header.gas_used + ready.gas > self.chain.header.gas_limit:
                    self._backend.mine_blocks(1)
                self._execute(ready)
        (block_hash,) = self._backend.mine_blocks(1)
        return bytes(block_hash)

    def advance(self, seconds: int) -> int:
        """Put the chain's clock forward, from the last block on; gives by how much it is then ahead of the real one."""
        # Many blocks within a second have run ahead already: each is a second after the one before.
        self._ahead_s = seconds + max(self._ahead_s, self.chain.get_canonical_head().timestamp - _now())
        return self._ahead_s

    def jump(self, timestamp: int) -> None:
        """Let the next block have this timestamp, and those after it go on from there."""
        if timestamp <= self.chain.get_canonical_head().timestamp:
            raise RpcError(INVALID_PARAMS, "the timestamp is not after that of the last block")
        self._next_timestamp = timestamp

    def save(self) -> int:
        """Remember this moment; gives its number, from 1."""
        self._snapshots.append(self.chain.get_canonical_head().hash)
        return len(self._snapshots)

    def restore(self, number: int) -> bool:
        """Go back to a moment, which, with those after it, is then forgotten. False: there is none of that number."""
        if not 0 < number <= len(self._snapshots):
            return False
        self._backend.revert_to_snapshot(self._snapshots[number - 1])
        del self._snapshots[number - 1 :]
        self.pool.clear()
        return True

    def find(self, transaction_hash: bytes) -> tuple[Any, int] | None:
        """The block with this transaction and its place in it."""
        try:
            number, index = self.chain.get_canonical_transaction_index(transaction_hash)
            header = self.header(number)
        except (NoTransaction, HeaderNotFound):
            return None
        block = self.chain.get_block_by_header(header)
        found = index < len(block.transactions) and block.transactions[index].hash == transaction_hash
        return (block, index) if found else None

    def blocks_with_logs(self, first: int, last: int) -> Iterator[Any]:
        """Those of them that have any logs: the others are told by their headers."""
        for number in range(first, min(last, self.chain.header.block_number - 1) + 1):
            header = self.header(number)
            if header.bloom:
                yield self.chain.get_block_by_header(header)

    def _header_or_refuse(self, tag: int | str) -> Any:
        try:
            return self.header(tag)
        except HeaderNotFound:
            raise RpcError(REFUSED, "header not found") from None

    def _unsigned(self, sender: bytes, to: bytes, value: int, data: bytes, gas: int) -> Any:
        plain = self.chain.create_unsigned_transaction(
            nonce=self.state("latest").get_nonce(sender), gas_price=0, gas=gas, to=to, value=value, data=data
        )
        return SpoofTransaction(plain, from_=sender)

    def _check(self, transaction: Any, balance: int) -> None:
        if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
            raise RpcError(REFUSED, "max priority fee per gas higher than max fee per gas")
        limit = self.chain.header.gas_limit
        if transaction.gas > limit:
            raise RpcError(REFUSED, f"exceeds block gas limit: {transaction.gas} of {limit}")
        if transaction.gas < transaction.intrinsic_gas:
            raise RpcError(REFUSED, f"intrinsic gas too low: gas {transaction.gas}, needs {transaction.intrinsic_gas}")
        if transaction.max_fee_per_gas < self.base_fee:
            raise RpcError(REFUSED, f"max fee per gas less than block base fee: {self.base_fee}")
        cost = transaction.value + transaction.gas * transaction.max_fee_per_gas
        if cost > balance:
            raise RpcError(REFUSED, f"insufficient funds for gas * price + value: have {balance} want {cost}")

    def _execute(self, transaction: Any) -> RpcError | None:
        """Into the block being made. One that fails there is in it all the same, as failed.

        Gives the error if it cannot be there at all: what was executed since it was sent has spent its money.
        """
        self._set_time()
        try:
            self.chain.apply_transaction(transaction)
        except ValidationError as error:
            return RpcError(REFUSED, str(error))
        return None

    def _pending_state(self) -> Any:
        return self.chain.get_vm(at_header=self.chain.header).state

    def _set_time(self) -> None:
        """py-evm gives a block the time when the one before it was made, which may be hours ago."""
        now = _now()
        if self._next_timestamp is not None:
            self._ahead_s = self._next_timestamp - now
            self._next_timestamp = None
        earliest = self.chain.get_canonical_head().timestamp + 1
        if not self.chain.get_block().transactions:  # those in it have seen its time already
            self.chain.set_header_timestamp(max(earliest, now + self._ahead_s))


def _now() -> int:
    return time.time_ns() // 10**9


def _ended(error: Exception) -> RpcError:
    """A call or an estimate that ended in an error, in the words of geth."""
    if isinstance(error, Revert):
        return reverted(bytes(error.args[0]) if error.args else b"")
    return RpcError(REFUSED, str(error) or type(error).__name__)

"""The hub's own account on chains: its key in a file, made if missing, and what it signs."""

import asyncio
import os
import secrets
from pathlib import Path
from typing import Any

from core_api.chain.ledger import Call, Fees
from core_api.chain.recursion import import_py_ecc
from core_api.chain.transactions import Signed

KEY_BYTES = 32


class ChainKeyError(Exception):
    """The key file cannot be used; the message names it and says what to do, and nothing of what is in it."""


class Signer:
    """Signs with the key in ``path``, which is read, or made, when it is needed first.

    That imports eth-account for a second or two, in a thread. Safe to share between tasks.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._account: Any = None
        self._loading = asyncio.Lock()

    async def address(self) -> str:
        """The account's address (EIP-55). Raises ChainKeyError."""
        return str((await self._loaded()).address)

    async def sign(self, call: Call, *, chain_id: int, nonce: int, gas: int, fees: Fees) -> Signed:
        """The bytes of a transaction (EIP-1559) and their hash. The same arguments give the same bytes (RFC 6979)."""
        account = await self._loaded()
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": chain_id,
            "nonce": nonce,
            "gas": gas,
            "maxFeePerGas": fees.most,
            "maxPriorityFeePerGas": fees.tip,
            "value": 0,
            "data": call.data,
        }
        if call.to is not None:
            fields["to"] = call.to
        signed = await asyncio.to_thread(account.sign_transaction, fields)
        return Signed(bytes(signed.raw_transaction), "0x" + bytes(signed.hash).hex())

    async def _loaded(self) -> Any:
        async with self._loading:
            if self._account is None:
                self._account = await asyncio.to_thread(_load, self._path)
        return self._account


def load_or_create(path: Path) -> bytes:
    """The secret in ``path``, made if it is missing. Any number of processes may do this at once: all get the same.

    Raises ChainKeyError if others may read the file, if it is no key, or if it cannot be read or made.
    """
    try:
        if not path.exists():
            _create(path)
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            text = file.read(200)
    except OSError as error:
        raise ChainKeyError(f"the key file {path} cannot be used: {error.strerror or error}") from error
    if mode & 0o077:
        raise ChainKeyError(f"others may read the key file {path} (mode {mode:o}): chmod 600 it, or replace the key")
    try:
        secret = bytes.fromhex(text.decode("ascii").strip().removeprefix("0x"))
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise ChainKeyError(f"the key file {path} holds no private key: 64 hex digits")
    return secret


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    # Private from its first moment: a chmod afterwards would leave a gap.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES).hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # whole or not at all, and never in the place of what another node linked first
        except FileExistsError:
            return
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # with the key, a power cut would take what the account owns
        finally:
            os.close(folder)
    finally:
        draft.unlink()


def _load(path: Path) -> Any:
    import_py_ecc()
    from eth_account import Account  # noqa: PLC0415 takes a second, and a hub without a chain never needs it

    secret = load_or_create(path)
    try:
        return Account.from_key(secret)
    except Exception:
        raise ChainKeyError(f"the key file {path} holds no private key of secp256k1") from None

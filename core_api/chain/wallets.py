"""Wallets: connected by a signed message that the hub wrote for this person, this address and this chain."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit

from core_api.chain import addresses, signatures
from core_api.chain.errors import NonceUsed, SignatureInvalid, WrongChain
from core_api.chain.siwe import SiweError, SiweMessage, differences, parse, timestamp
from core_api.chain.wallet_schema import MessageToSign, Position, WalletProof, WalletToConnect, WalletView
from core_api.chain.wallet_settings import WalletSettings
from core_api.chain.wallet_store import IssuedMessage, Refusal, Wallet, WalletStore
from hub.kernel.clock import Clock
from hub.kernel.errors import Conflict, InvalidPayload, NotFound
from hub.kernel.events import Actor
from hub.kernel.ids import UserId, new_uuid
from hub.kernel.limits import Limit
from hub.kernel.pages import Page, PageQuery, decode_cursor, page
from hub.kernel.ports import RateLimiter

log = logging.getLogger(__name__)

NONCE_BYTES = 16
"""Not to be guessed, and never the same twice."""


class ChainIds(Protocol):
    """The chains that this hub works with."""

    async def ids(self) -> frozenset[int]:
        """Their EIP-155 ids. Raises ChainUnavailable if they cannot be known just now."""
        ...


class ContractWallets(Protocol):
    """Wallets that are contracts and have no key: they say themselves what they have signed (EIP-1271)."""

    async def is_valid_signature(self, chain_id: int, address: bytes, digest: bytes, signature: bytes) -> bool:
        """Whether there is a contract at ``address`` that takes the signature. Raises ChainUnavailable."""
        ...


class Wallets:
    """The use cases of wallets.

    ``origin`` gives the hub's own address as browsers see it (``https://hub.example``): wallets warn where the page
    that asks for a signature is another one. It is asked for at each message, since the port is known only once the
    node listens. Without ``contracts``, only wallets with a key are taken.
    """

    def __init__(
        self,
        store: WalletStore,
        chains: ChainIds,
        limiter: RateLimiter,
        clock: Clock,
        settings: WalletSettings,
        *,
        origin: Callable[[], str],
        contracts: ContractWallets | None = None,
    ) -> None:
        self._store = store
        self._chains = chains
        self._limiter = limiter
        self._clock = clock
        self._settings = settings
        self.limit = Limit.a_minute(settings.per_minute)
        """What one person may ask for, of each kind. REST has it, and it is kept here together with GraphQL."""
        self._origin = origin
        self._contracts = contracts

    async def message(self, actor: Actor, wanted: WalletToConnect) -> MessageToSign:
        """The text to sign so that ``actor`` gets this wallet connected.

        Raises InvalidPayload (the checksum of the address), WrongChain, RateLimited, ChainUnavailable.
        """
        await self._take("message", actor)
        if wanted.chain_id not in await self._chains.ids():
            raise WrongChain(f"This hub does not work with chain {wanted.chain_id}.")
        address = await asyncio.to_thread(addresses.parse, wanted.address)
        issued = await asyncio.to_thread(self._write, actor.user_id, address, wanted.chain_id)
        await self._store.issue(issued, self._clock.now())
        return MessageToSign(message=issued.text)

    async def connect(self, actor: Actor, proof: WalletProof) -> WalletView:
        """Connect the wallet that signed the message. Who has it already keeps it, as the one connected last.

        A message is used up by the wallet that it connects, and by nothing else. Raises InvalidPayload (the message is
        not the one issued, or issued for another address), WrongChain (it names another chain), NonceUsed,
        SignatureInvalid, Conflict (somebody else has this wallet), RateLimited, ChainUnavailable.
        """
        await self._take("proof", actor)  # a contract wallet may let the chain's node count for a long time
        given = _parsed(proof.message)
        issued = await self._store.issued(given.nonce, actor.user_id, self._clock.now())
        if issued is None:
            raise NonceUsed
        _check_unaltered(given, issued)
        if await asyncio.to_thread(addresses.parse, proof.address) != issued.address:
            raise _unfit("/address", "The message was issued for another address")
        await self._check_signature(issued, proof.signature)
        wallet = await self._store.connect(new_uuid(), issued, self._clock.now())
        if wallet is Refusal.MESSAGE_SPENT:
            raise NonceUsed
        if wallet is Refusal.TAKEN:
            raise Conflict("This wallet is connected to another account. Disconnect it there first.")
        log.info("account %s connected a wallet on chain %d", wallet.user_id, wallet.chain_id)
        return await asyncio.to_thread(_view, wallet)

    async def list(self, actor: Actor, query: PageQuery) -> Page[WalletView]:
        """One's connected wallets, the last connected first."""
        before = None if query.cursor is None else decode_cursor(query.cursor, tuple[Position])[0]
        wallets = await self._store.wallets(actor.user_id, before, query.limit + 1)
        return await asyncio.to_thread(page, wallets, query.limit, _view, lambda wallet: (wallet.number,))

    async def disconnect(self, actor: Actor, wallet_id: str) -> None:
        """Let go of one's wallet; it can be connected anew, by anybody who has its key. Raises NotFound."""
        if not await self._store.disconnect(wallet_id, actor.user_id, self._clock.now()):
            raise NotFound("There is no such wallet, or it is not yours.")

    async def wallet_of(self, user_id: UserId, chain_id: int) -> str | None:
        """The address (EIP-55) of the wallet that somebody connected last on a chain: who connects one means it."""
        wallet = await self._store.latest(user_id, chain_id)
        return None if wallet is None else await asyncio.to_thread(addresses.shown, wallet.address)

    async def _take(self, what: str, actor: Actor) -> None:
        key = f"wallet-{what}:{actor.user_id}"
        await self._limiter.take(key, per_minute=self.limit.per_minute, burst=self.limit.burst)

    async def _check_signature(self, issued: IssuedMessage, text: str) -> None:
        try:
            signature = bytes.fromhex(text.removeprefix("0x"))
        except ValueError:
            raise SignatureInvalid("The signature has half a byte too much.") from None
        digest, signer = await asyncio.to_thread(_signer, issued.text, signature)
        if signer == issued.address:
            return
        if self._contracts is not None and await self._contracts.is_valid_signature(
            issued.chain_id, issued.address, digest, signature
        ):
            return
        raise SignatureInvalid

    def _write(self, user_id: UserId, address: bytes, chain_id: int) -> IssuedMessage:
        origin, now = self._origin(), self._clock.now()
        parts = urlsplit(origin)
        expires_at = now + timedelta(seconds=self._settings.message_life_s)
        message = SiweMessage(
            # Left out it means https, and wallets of before 2023 know no other form.
            scheme=None if parts.scheme == "https" else parts.scheme,
            domain=parts.netloc,
            address=addresses.shown(address),
            statement=f"Connect this wallet to the Sparkle Hub account {user_id}.",
            uri=origin,
            chain_id=chain_id,
            nonce=secrets.token_hex(NONCE_BYTES),
            issued_at=timestamp(now),
            expiration_time=timestamp(expires_at),
        )
        return IssuedMessage(message.nonce, user_id, chain_id, address, str(message), expires_at)


def _parsed(text: str) -> SiweMessage:
    try:
        return parse(text)
    except SiweError as error:
        raise _unfit("/message", f"{str(error).capitalize()}: sign the text as it was issued") from None


def _check_unaltered(given: SiweMessage, issued: IssuedMessage) -> None:
    """Each text is one message and the other way round, so equal fields are equal texts."""
    changed = differences(given, parse(issued.text))
    if "chain_id" in changed:
        raise WrongChain(f"The message was issued for chain {issued.chain_id}, not {given.chain_id}.")
    if changed:
        raise _unfit("/message", f"Not the message as it was issued: another {changed[0].replace('_', ' ')}")


def _signer(text: str, signature: bytes) -> tuple[bytes, bytes | None]:
    digest = signatures.digest(text)
    return digest, signatures.signer(digest, signature)


def _view(wallet: Wallet) -> WalletView:
    return WalletView(
        id=wallet.id,
        address=addresses.shown(wallet.address),
        chain_id=wallet.chain_id,
        connected_at=wallet.connected_at,
    )


def _unfit(pointer: str, detail: str) -> InvalidPayload:
    return InvalidPayload(f"{detail} (at {pointer})", errors=[{"pointer": pointer, "detail": detail}])

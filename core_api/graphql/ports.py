"""What GraphQL needs of the services, as Protocols; the composition root gives the implementations."""

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from core_api.accounts.schema import User
from core_api.chain.schema import MintRequest, Nfts, NftView, Queued
from core_api.chain.wallet_schema import WalletProof, WalletView
from core_api.companions.chat_schema import ChatMessage, ChatReply
from core_api.companions.schema import CompanionFields, CompanionView
from core_api.content.schema import PostChanges, PostFields, PostView
from hub.kernel.errors import HubError
from hub.kernel.events import Actor
from hub.kernel.ids import UserId
from hub.kernel.pages import Page, PageQuery
from hub.kernel.ports import Access, Rooms

Explain = Callable[[BaseException], HubError | None]
"""What an exception means to a client; ``None`` for a bug of ours. Implemented in hub.transport."""


class Users(Protocol):
    """People. Implemented in core_api.accounts."""

    async def get(self, user_id: UserId, viewer: Actor | None) -> User:
        """A person as ``viewer`` sees them. Raises NotFound, also for whom they block."""
        ...

    async def named(self, username: str, viewer: Actor | None) -> User:
        """The same by name, in whatever case."""
        ...

    async def many(self, user_ids: Iterable[UserId], viewer: Actor | None) -> dict[UserId, User]:
        """Those of the people that ``viewer`` may see, by id, in one query."""
        ...

    async def follow(self, user_id: UserId, actor: Actor) -> None:
        """Follow somebody. Idempotent. Raises NotFound, Forbidden (oneself), Conflict (somebody one blocks)."""
        ...


class VersionedPost(Protocol):
    """A post, from a service that also knows its version."""

    @property
    def view(self) -> PostView:
        """The post."""
        ...


class Posts(Protocol):
    """Posts. Implemented in core_api.content."""

    async def create(self, actor: Actor, fields: PostFields) -> VersionedPost:
        """Write a post. Raises InvalidPayload, PayloadTooLarge."""
        ...

    async def get(self, actor: Actor | None, reference: str) -> VersionedPost:
        """The post with this id or slug. Raises NotFound."""
        ...

    async def list(self, actor: Actor | None, query: PageQuery) -> Page[PostView]:
        """Published posts, the newest first."""
        ...

    async def by_author(self, actor: Actor | None, author_id: str, query: PageQuery) -> Page[PostView]:
        """Somebody's posts, the latest written first; one's own with the drafts. Raises NotFound."""
        ...

    async def change(self, actor: Actor, reference: str, changes: PostChanges, version: int | None) -> VersionedPost:
        """Change one's own post. Raises NotFound, Forbidden, InvalidPayload, PayloadTooLarge."""
        ...


class VersionedCompanion(Protocol):
    """A companion, in the same way."""

    @property
    def view(self) -> CompanionView:
        """The companion."""
        ...


class Companions(Protocol):
    """Companions. Implemented in core_api.companions."""

    async def create(self, actor: Actor, fields: CompanionFields) -> VersionedCompanion:
        """Make a companion. Raises Conflict for one more than the owner may have."""
        ...

    async def get(self, actor: Actor, companion_id: str) -> VersionedCompanion:
        """One's own companion. Raises NotFound."""
        ...


class Chats(Protocol):
    """Chats with companions. Implemented in core_api.companions."""

    async def say(self, actor: Actor, companion_id: str, message: ChatMessage) -> ChatReply:
        """Say something, and wait for the whole reply. Raises NotFound, RateLimited, Overloaded, Unavailable."""
        ...


class Wallets(Protocol):
    """Wallets. Implemented in core_api.chain."""

    async def connect(self, actor: Actor, proof: WalletProof) -> WalletView:
        """Add the wallet that signed the text of ``POST /blockchain/wallet/nonce``. Raises what is wrong with it."""
        ...


class Mints(Protocol):
    """Mints. Implemented in core_api.chain."""

    async def mint(self, actor: Actor, request: MintRequest) -> Queued:
        """Begin to mint one's own published post; once, however often it is asked for."""
        ...


class NftReads(Protocol):
    """Tokens as the chain has them. Implemented in core_api.chain."""

    async def get(self, chain_id: int, contract: str, token_id: str) -> NftView:
        """A token. Raises NotFound, Unavailable."""
        ...

    async def of_owner(self, owner: str) -> Nfts:
        """The tokens of an address, or of a person's wallets."""
        ...


class DocumentChanges(Protocol):
    """Tells of committed changes of documents. Implemented in collab."""

    def follow(self, document_id: str, changed: Callable[[], None]) -> AbstractAsyncContextManager[None]:
        """Call ``changed`` after each committed change, on whichever node it was made, inside ``async with``.

        Access is the caller's to check. Raises Unavailable if the document cannot be opened.
        """
        ...


class PresenceChanges(Protocol):
    """Tells of somebody's presence. Implemented in presence."""

    def follow(self, viewer: UserId, user_id: UserId, told: Callable[[Any], None]) -> AbstractAsyncContextManager[None]:
        """Call ``told`` with each presence of ``user_id``, as on the wire, that ``viewer`` sees inside ``async with``.

        Also when the viewer comes to see more or less.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that resolvers may ask."""

    users: Users
    posts: Posts
    companions: Companions
    chats: Chats
    wallets: Wallets
    mints: Mints
    nfts: NftReads
    documents: DocumentChanges
    access: Access
    rooms: Rooms
    presence: PresenceChanges

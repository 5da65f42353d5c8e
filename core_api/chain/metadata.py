"""Metadata of a post's token (ERC-721 JSON), kept as a content-addressed document that marketplaces can read."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from core_api.chain.blocks import BlockStore
from core_api.chain.cid import RAW, Cid, CidError
from core_api.chain.unixfs import add
from core_api.ports import UserBrief
from hub.kernel.errors import NotFound

POSTS = "/api/v1/posts/"
"""Where a post is read, below the hub's origin."""


class PostFacts(Protocol):
    """What metadata say of a published post. The view of a post on the wire has all of it."""

    @property
    def id(self) -> str:
        """UUID."""
        ...

    @property
    def slug(self) -> str:
        """Its name in links; it never changes."""
        ...

    @property
    def title(self) -> str:
        """What it is called."""
        ...

    @property
    def excerpt(self) -> str | None:
        """What it says, in short."""
        ...

    @property
    def content(self) -> Any:
        """What it says: anything that becomes JSON."""
        ...

    @property
    def cover_image(self) -> str | None:
        """URL, or a path below the hub's origin."""
        ...

    @property
    def tags(self) -> Sequence[str]:
        """In the author's order."""
        ...

    @property
    def author(self) -> UserBrief | None:
        """``None`` if the account is gone."""
        ...

    @property
    def published_at(self) -> datetime | None:
        """When it was published first."""
        ...


class Attribute(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the list that marketplaces show beside a token."""

    display_type: str | None = None
    trait_type: str
    value: str | int


class Metadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The document. Names are those of ERC-721 and of the marketplaces, and so not in camel case."""

    attributes: tuple[Attribute, ...]
    content_hash: str
    """The post, as the contract knows it: see :func:`content_hash`."""
    content_sha256: str
    """SHA-256 of the post's content as it was minted, as JSON with sorted keys, in hexadecimal."""
    description: str
    external_url: str
    image: str | None = None
    name: str


class MetadataLibrary:
    """Publishes metadata, and gives them to whoever asks by CID.

    ``origin`` gives the hub's own address as browsers see it, for the links in the documents.
    """

    def __init__(self, blocks: BlockStore, *, origin: Callable[[], str]) -> None:
        self._blocks = blocks
        self._origin = origin

    async def publish_metadata(self, post: PostFacts) -> Cid:
        """Store the metadata of a post as it is now, durably. The same post (and origin) has the same CID, always.

        The token's URI is ``ipfs://`` and this CID.
        """
        blocks = add(canonical(metadata_of(post, self._origin())))
        await self._blocks.put(blocks)
        return blocks[-1].cid

    async def document(self, text: str) -> msgspec.Raw:
        """The JSON document with this CID, byte for byte: its SHA-256 is in the CID. Raises NotFound.

        Raises CorruptBlock if the storage is damaged.
        """
        try:
            cid = Cid.parse(text)
        except CidError:
            raise NotFound("That is no CID of this hub.") from None
        data = await self._blocks.get(cid) if cid.codec == RAW else None
        if data is None:
            raise NotFound("This hub has no such block.")
        return msgspec.Raw(data)


def content_hash(post_id: str) -> bytes:
    """The 32 bytes that the contract knows a post by: one token a post for ever, whatever its version."""
    return hashlib.sha256(f"sparkle-hub post {post_id}".encode()).digest()


def canonical(metadata: Metadata) -> bytes:
    """The one form of a document: JSON in UTF-8, keys sorted, no white space."""
    return msgspec.json.encode(metadata, order="sorted")


def metadata_of(post: PostFacts, origin: str) -> Metadata:
    """The metadata of a post, with links below ``origin``."""
    author = None if post.author is None else post.author.username
    content = msgspec.json.encode(post.content, order="sorted")
    return Metadata(
        attributes=tuple(_attributes(post, author)),
        content_hash="0x" + content_hash(post.id).hex(),
        content_sha256=hashlib.sha256(content).hexdigest(),
        description=post.excerpt or (f"A post by {author}." if author else "A post."),
        external_url=f"{origin}{POSTS}{post.slug}",
        image=_absolute(post.cover_image, origin),
        name=post.title,
    )


def _attributes(post: PostFacts, author: str | None) -> list[Attribute]:
    attributes = [Attribute(trait_type="Tag", value=tag) for tag in post.tags]
    if post.published_at is not None:
        seconds = int(post.published_at.timestamp())
        attributes.insert(0, Attribute(display_type="date", trait_type="Published", value=seconds))
    if author is not None:
        attributes.insert(0, Attribute(trait_type="Author", value=author))
    return attributes


def _absolute(image: str | None, origin: str) -> str | None:
    return origin + image if image is not None and image.startswith("/") else image

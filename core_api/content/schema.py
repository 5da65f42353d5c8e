"""The wire of content: /posts, the events content:*, and what subscribers and followers are told."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from core_api.ports import UserBrief
from core_api.storable import Text, VisibleText
from hub.kernel.wire import END, ServerEvent, Uuid, Wire

Status = Literal["DRAFT", "PUBLISHED"]
PostRef = Annotated[str, Meta(pattern=rf"^[a-z0-9-]{{1,100}}{END}", description="id or slug; the two never collide")]
PublishedAt = Annotated[datetime, Meta(tz=True)]
"""In the cursor of published posts, before the id, which orders those of the same millisecond."""
Position = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""In the cursor of an author's list: the number of the last row."""

Title = Annotated[VisibleText, Meta(min_length=1, max_length=200)]
Excerpt = Annotated[Text, Meta(max_length=500)]
CoverImage = Annotated[
    str,
    Meta(
        max_length=2000,
        pattern=rf"^(https?://|/)[\x21-\x7e]*{END}",
        description="URL or path, in ASCII; no other scheme, since browsers run some",
    ),
]
Tags = Annotated[list[Annotated[VisibleText, Meta(min_length=1, max_length=40)]], Meta(max_length=20)]


class Content(Wire):
    """What a post says: blocks, each an object with a ``type``; the rest of a block is its editor's."""

    blocks: Annotated[list[dict[str, Any]], Meta(max_length=500)]


class PostFields(Wire):
    """A post as its author writes it. What is left out: no value; of ``status``, a draft or what it was."""

    title: Title
    content: Content
    excerpt: Excerpt | None = None
    cover_image: CoverImage | None = None
    tags: Tags = msgspec.field(default_factory=list)
    category_id: None = None
    """There are no categories yet."""
    status: Status | UnsetType = UNSET
    mint_as_nft: bool = msgspec.field(default=False, name="mintAsNFT")
    """Only ``false`` is taken yet: minting is a job of its own once the post is there."""


class PostChanges(Wire):
    """The fields of a post to change; what is left out stays."""

    title: Title | UnsetType = UNSET
    content: Content | UnsetType = UNSET
    excerpt: Excerpt | UnsetType | None = UNSET
    cover_image: CoverImage | UnsetType | None = UNSET
    tags: Tags | UnsetType = UNSET
    category_id: UnsetType | None = UNSET
    status: Status | UnsetType = UNSET


class PostView(Wire):
    """A post as it is read. ``author`` is ``null`` if the account is gone; ``readingTime`` is in minutes."""

    id: Uuid
    slug: str
    title: str
    content: Content
    excerpt: str | None
    cover_image: str | None
    tags: list[str]
    category: None
    status: Status
    author: UserBrief | None
    view_count: int
    reading_time: int
    sentiment: None
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ContentRef(Wire):
    """Which post to watch."""

    content_id: Uuid


class Watching(Wire):
    """Answer to a subscription: connections that watch the post now, on all nodes."""

    content_id: Uuid
    member_count: int


class ContentNew(ServerEvent):
    """Somebody whom one follows has published a post."""

    event = "content:new"
    content: PostView
    timestamp: datetime


class ContentUpdated(ServerEvent):
    """A post has changed; ``content`` is its present state."""

    event = "content:updated"
    content_id: Uuid
    content: PostView


class ContentRemoved(ServerEvent):
    """A post is no longer there to be read: deleted, or a draft again."""

    event = "content:removed"
    content_id: Uuid

"""Posts and their rules: slugs, reading time, what a change has to be told as. No I/O."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

from core_api.content.schema import Content, PostChanges, PostFields, Status
from core_api.storable import encode_json
from hub.kernel.errors import InvalidPayload
from hub.kernel.ids import RoomName, UserId
from hub.kernel.wire import UUID_PATTERN

MAX_CONTENT_BYTES = 262_144
"""Of a post's blocks as JSON: a long read of 40 000 words. Pictures are media, and a block names them."""
MAX_SLUG = 80
WORDS_PER_MINUTE = 200
PUBLISHED, UPDATED, REMOVED = "content.published", "content.updated", "content.removed"
"""Topics of the outbox: ``{contentId}``."""


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """A post that is not deleted. ``number`` (its place in the author's list) is the store's to give."""

    id: str
    number: int = 0
    author_id: UserId
    slug: str
    title: str
    content: Content
    excerpt: str | None
    cover_image: str | None
    tags: list[str]
    status: Status
    reading_minutes: int
    version: int
    published_at: datetime | None
    """When it was published first; it keeps that while it is a draft again."""
    created_at: datetime
    updated_at: datetime


def content_room(content_id: str) -> RoomName:
    """Where the connections that watch a post are."""
    return RoomName(f"content:{content_id}")


def new_post(post_id: str, author_id: UserId, fields: PostFields, now: datetime) -> Post:
    """A post out of what its author wrote, with the slug that is best if it is free. Raises InvalidPayload."""
    if fields.mint_as_nft:
        raise InvalidPayload(
            "Minting is not available.", errors=[{"pointer": "/mintAsNFT", "detail": "Minting is not available"}]
        )
    check_content(fields.content)
    status = "DRAFT" if fields.status is UNSET else fields.status
    return Post(
        id=post_id,
        author_id=author_id,
        slug=next(slugs(fields.title, post_id)),
        title=fields.title,
        content=fields.content,
        excerpt=fields.excerpt,
        cover_image=fields.cover_image,
        tags=distinct(fields.tags),
        status=status,
        reading_minutes=reading_minutes(fields.content),
        version=1,
        published_at=now if status == "PUBLISHED" else None,
        created_at=now,
        updated_at=now,
    )


def as_changes(fields: PostFields) -> PostChanges:
    """A whole post as a change of every field."""
    return PostChanges(
        title=fields.title,
        content=fields.content,
        excerpt=fields.excerpt,
        cover_image=fields.cover_image,
        tags=fields.tags,
        status=fields.status,
    )


def changed(post: Post, changes: PostChanges, now: datetime) -> Post:
    """The post with what is given in place, one version on. Raises InvalidPayload.

    The slug stays: links to it exist.
    """
    given = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not UNSET}
    given.pop("category_id", None)
    if "content" in given:
        check_content(given["content"])
        given["reading_minutes"] = reading_minutes(given["content"])
    if "tags" in given:
        given["tags"] = distinct(given["tags"])
    if given.get("status") == "PUBLISHED" and post.published_at is None:
        given["published_at"] = now
    return msgspec.structs.replace(post, **given, version=post.version + 1, updated_at=now)


def announcement(before: Post | None, after: Post | None) -> str | None:
    """The topic that tells of a change, ``None`` if it concerns the author alone.

    ``before`` is ``None`` for a new post, ``after`` for a deleted one. A post is news once: published again after it
    was a draft again, it is an update to those who still watch it.
    """
    was_public = before is not None and before.status == "PUBLISHED"
    if after is None or after.status == "DRAFT":
        return REMOVED if was_public else None
    return PUBLISHED if before is None or before.published_at is None else UPDATED


def slugs(title: str, post_id: str) -> Iterator[str]:
    """Slugs for a title, the best first; the last one is free for certain. None has the form of a UUID."""
    ascii_title = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_title).strip("-")[:MAX_SLUG].rstrip("-") or "post"
    if re.fullmatch(UUID_PATTERN, slug):
        slug = f"post-{slug}"
    yield slug
    stem, digits = slug[: MAX_SLUG - 33].rstrip("-"), post_id.replace("-", "")
    yield f"{stem}-{digits[:8]}"
    yield f"{stem}-{digits}"


def check_content(content: Content) -> None:
    """Raises InvalidPayload with every block that has no type, and what :func:`encode_json` raises."""
    untyped = [number for number, block in enumerate(content.blocks) if not _is_name(block.get("type"))]
    if untyped:
        detail = "A block needs a type, a string"
        errors = [{"pointer": f"/content/blocks/{number}/type", "detail": detail} for number in untyped[:20]]
        raise InvalidPayload(f"{detail} (at {errors[0]['pointer']})", errors=errors)
    encode_content(content)


def encode_content(content: Content) -> str:
    """The blocks as JSON text. Raises InvalidPayload or PayloadTooLarge for what cannot be stored."""
    return encode_json({"blocks": content.blocks}, max_bytes=MAX_CONTENT_BYTES, pointer="/content").decode()


def reading_minutes(content: Content) -> int:
    """Minutes to read the texts (what stands under ``text``, at any depth, as editors have it), at least one."""
    words = sum(len(text.split()) for text in _texts(content.blocks))
    return max(1, -(-words // WORDS_PER_MINUTE))


def distinct(tags: list[str]) -> list[str]:
    """Tags without white space around them and without repeats, in the order given."""
    return list(dict.fromkeys(tag.strip() for tag in tags))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "text" and isinstance(item, str):
                yield item
            else:
                yield from _texts(item)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 80

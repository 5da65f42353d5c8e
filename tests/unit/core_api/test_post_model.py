"""core_api.content.model: slugs, reading time, announcements."""

import re
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_api.content.model import (
    MAX_SLUG,
    Post,
    announcement,
    changed,
    check_content,
    new_post,
    reading_minutes,
    slugs,
)
from core_api.content.schema import Content, PostChanges, PostFields, PostRef, Status
from hub.kernel.errors import InvalidPayload, PayloadTooLarge
from hub.kernel.ids import UserId, new_uuid
from hub.kernel.wire import UUID_PATTERN

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LATER = datetime(2026, 11, 24, tzinfo=UTC)
POST_ID = "0193a1b2-0000-4000-8000-00000000abcd"


def words(count: int) -> Content:
    return Content(blocks=[{"type": "paragraph", "data": {"text": "word " * count}}])


def post(status: Status = "DRAFT") -> Post:
    return new_post(POST_ID, UserId("ada"), PostFields(title="Hello", content=words(3), status=status), NOW)


@given(st.text(max_size=200) | st.uuids().map(str) | st.from_regex(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}", fullmatch=True))
def test_a_slug_is_short_fits_an_address_and_is_never_an_id(title: str) -> None:
    post_id = new_uuid()
    found = list(slugs(title, post_id))
    assert len(set(found)) == 3
    assert post_id.replace("-", "") in found[-1]  # so the last one is free
    for slug in found:
        assert len(slug) <= MAX_SLUG
        assert msgspec.convert(slug, PostRef) == slug
        assert not re.fullmatch(UUID_PATTERN, slug)
        assert not slug.startswith("-")
        assert not slug.endswith("-")


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Crème brûlée, twice!", "creme-brulee-twice"),
        ("日本", "post"),
        ("a" * 200, "a" * 80),
        (POST_ID, f"post-{POST_ID}"),
    ],
)
def test_the_best_slug_reads_like_the_title(title: str, slug: str) -> None:
    assert next(slugs(title, POST_ID)) == slug


@pytest.mark.parametrize(("count", "minutes"), [(0, 1), (1, 1), (200, 1), (201, 2), (1000, 5)])
def test_reading_takes_a_minute_for_200_words(count: int, minutes: int) -> None:
    assert reading_minutes(words(count)) == minutes


def test_only_prose_takes_time_to_read() -> None:
    assert reading_minutes(Content(blocks=[{"type": "code", "source": "x " * 900}, {"type": "p", "text": "hi"}])) == 1


def test_every_block_without_a_type_is_named() -> None:
    with pytest.raises(InvalidPayload) as caught:
        check_content(Content(blocks=[{"type": "p"}, {}, {"type": 3}, {"type": ""}]))
    pointers = [error["pointer"] for error in caught.value.details["errors"]]
    assert pointers == ["/content/blocks/1/type", "/content/blocks/2/type", "/content/blocks/3/type"]


def test_content_has_a_limit() -> None:
    with pytest.raises(PayloadTooLarge):
        check_content(words(60_000))


def test_minting_is_not_taken_yet() -> None:
    with pytest.raises(InvalidPayload):
        new_post(POST_ID, UserId("ada"), PostFields(title="x", content=words(1), mint_as_nft=True), NOW)


def test_a_change_touches_what_is_given_and_nothing_else() -> None:
    before = post()
    after = changed(before, PostChanges(title="New", tags=["a", " a", "b"]), LATER)
    expected = msgspec.structs.replace(before, title="New", tags=["a", "b"], version=2, updated_at=LATER)
    assert after == expected


def test_a_post_keeps_the_time_of_its_first_publication() -> None:
    published = changed(post(), PostChanges(status="PUBLISHED"), NOW)
    withdrawn = changed(published, PostChanges(status="DRAFT"), LATER)
    again = changed(withdrawn, PostChanges(status="PUBLISHED"), LATER)
    assert (published.published_at, withdrawn.published_at, again.published_at) == (NOW, NOW, NOW)


def test_a_post_is_news_once_and_drafts_are_nobodys_business() -> None:
    draft, published = post(), post("PUBLISHED")
    withdrawn = changed(published, PostChanges(status="DRAFT"), LATER)
    assert announcement(None, draft) is None
    assert announcement(draft, draft) is None
    assert announcement(draft, None) is None
    assert announcement(None, published) == "content.published"
    assert announcement(draft, changed(draft, PostChanges(status="PUBLISHED"), LATER)) == "content.published"
    assert announcement(published, changed(published, PostChanges(title="x"), LATER)) == "content.updated"
    assert announcement(published, withdrawn) == "content.removed"
    assert announcement(published, None) == "content.removed"
    assert announcement(withdrawn, changed(withdrawn, PostChanges(status="PUBLISHED"), LATER)) == "content.updated"

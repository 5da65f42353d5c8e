"""Posts from request to database, outbox and those who watch or follow."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from core_api.content import subscriptions
from core_api.content.handlers import content_events
from core_api.content.model import content_room
from core_api.content.roles import ContentRoles
from core_api.content.routes import content_api
from core_api.content.schema import (
    Content,
    ContentNew,
    ContentRemoved,
    ContentUpdated,
    PostChanges,
    PostFields,
    PostView,
    Status,
)
from core_api.content.service import Posts
from core_api.content.store_postgres import PostgresPosts
from core_api.content.subscriptions import Subscriptions
from core_api.outbox_relay import OutboxRelay
from core_api.ports import POSTS_FEED
from hub.kernel.errors import Forbidden, InvalidPayload, NotFound, PreconditionFailed
from hub.kernel.events import Caller
from hub.kernel.ids import UserId, new_uuid, user_room
from hub.kernel.pages import PageQuery
from hub.storage.postgres import create_pool
from hub.storage.redis import connect
from tests.support.clock import FrozenClock
from tests.support.people import People
from tests.support.rooms import RecordedRooms
from tests.support.wait import until

HELLO = Content(blocks=[{"type": "paragraph", "text": "Hello \0"}])
FIRST_PAGE = PageQuery()


@dataclass
class World:
    """Posts with their store, an author, a reader, and what was emitted."""

    pool: asyncpg.Pool
    redis: Redis
    rooms: RecordedRooms = field(default_factory=RecordedRooms)
    people: People = field(default_factory=People)

    def __post_init__(self) -> None:
        store, access, self.clock = PostgresPosts(self.pool), self.people.access(), FrozenClock()
        self.people.roles["content"] = ContentRoles(store, access)
        self.relay = OutboxRelay(self.pool, self.redis)
        self.posts = Posts(store, access, self.people, self.clock, nudge=self.relay.nudge)
        watching = Subscriptions(store, self.rooms, access, self.people, self.people)
        self.relay.add(watching.sinks())
        self.router = content_events(watching)
        self.ada, self.bob, self.eve = (self.people.add(name) for name in ("ada", "bob", "eve"))

    async def write(self, title: str = "Hello", status: Status = "PUBLISHED", by: Caller | None = None) -> PostView:
        fields = PostFields(title=title, content=HELLO, status=status)
        return (await self.posts.create(by or self.ada, fields)).view

    async def subscribe(self, caller: Caller, content_id: object) -> Any:
        return await self.router.dispatch("content:subscribe", caller, content_id)

    async def relayed(self) -> list[tuple[list[str], str]]:
        """Everything emitted so far, as (rooms, event), once the outbox is empty."""
        await until(self._relay)
        return [([str(room) for room in rooms], event.event) for rooms, event in self.rooms.emitted]

    async def _relay(self) -> bool:
        await self.relay.relay()
        return not await self.pool.fetchval("SELECT count(*) FROM outbox")


@pytest.fixture
async def world(database_url: str, redis_url: str) -> AsyncIterator[World]:
    pool, redis = await create_pool(database_url, size=6), connect(redis_url, size=4)
    yield World(pool, redis)
    await redis.aclose()
    await pool.close()


async def test_a_post_is_found_by_id_and_by_slug_by_anybody_as_it_was_written(world: World) -> None:
    post = await world.write("Crème brûlée")
    assert post.slug == "creme-brulee"
    for reference in (post.id, post.slug):
        for reader in (None, world.bob, world.ada):
            found = await world.posts.get(reader, reference)
            assert (found.view, found.version) == (post, 1)
    assert post.content == HELLO
    assert post.author is not None
    assert post.author.username == "ada"


async def test_posts_with_one_title_written_at_once_all_get_a_slug_of_their_own(world: World) -> None:
    posts = await asyncio.gather(*(world.write() for _ in range(6)))
    slugs = {post.slug for post in posts}
    assert len(slugs) == 6
    assert "hello" in slugs
    assert all(slug.startswith("hello") for slug in slugs)


async def test_a_draft_is_its_authors_alone(world: World) -> None:
    draft = await world.write(status="DRAFT")
    assert (await world.posts.get(world.ada, draft.slug)).view == draft
    for reader in (None, world.bob):
        with pytest.raises(NotFound):
            await world.posts.get(reader, draft.slug)
        assert (await world.posts.by_author(reader, world.ada.user_id, FIRST_PAGE)).data == []
    with pytest.raises(NotFound):
        await world.subscribe(world.bob, draft.id)
    assert (await world.posts.list(world.ada, FIRST_PAGE)).data == []
    assert (await world.posts.by_author(world.ada, world.ada.user_id, FIRST_PAGE)).data == [draft]


async def test_whoever_is_blocked_sees_absence(world: World) -> None:
    post, other = await world.write(), await world.write(by=world.bob)
    world.people.block(world.ada, world.eve)
    with pytest.raises(NotFound):
        await world.posts.get(world.eve, post.id)
    with pytest.raises(NotFound):
        await world.subscribe(world.eve, post.id)
    with pytest.raises(NotFound):
        await world.posts.by_author(world.eve, world.ada.user_id, FIRST_PAGE)
    assert (await world.posts.list(world.eve, FIRST_PAGE)).data == [other]


async def test_the_list_is_newest_first_page_by_page_also_within_one_millisecond(world: World) -> None:
    written = [await world.write() for _ in range(3)]
    world.clock.advance(1)
    written.append(await world.write())
    found: list[PostView] = []
    query = PageQuery(limit=1)
    while True:
        page = await world.posts.list(None, query)
        found += page.data
        if page.page_info.next_cursor is None:
            break
        query = PageQuery(limit=1, cursor=page.page_info.next_cursor)
    assert found[0] == written[3]
    assert {post.id for post in found[1:]} == {post.id for post in written[:3]}
    assert len(found) == 4


async def test_an_authors_own_list_goes_page_by_page_too(world: World) -> None:
    written = [await world.write(status="DRAFT"), await world.write(), await world.write()]
    first = await world.posts.by_author(world.ada, world.ada.user_id, PageQuery(limit=2))
    cursor = first.page_info.next_cursor
    rest = await world.posts.by_author(world.ada, world.ada.user_id, PageQuery(limit=2, cursor=cursor))
    assert [*first.data, *rest.data] == written[::-1]


@pytest.mark.parametrize("cursor", ["x", "WzFd", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwiYSJd"])
async def test_a_cursor_that_is_none_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(InvalidPayload):
        await world.posts.list(None, PageQuery(cursor=cursor))


async def test_a_change_takes_effect_once_for_one_version(world: World) -> None:
    post = await world.write()
    results = await asyncio.gather(
        *(world.posts.change(world.ada, post.id, PostChanges(title=f"T{n}"), 1) for n in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, PreconditionFailed) for result in results) == 3
    assert (await world.posts.get(world.ada, post.id)).version == 2


async def test_changes_without_a_version_all_happen(world: World) -> None:
    post = await world.write()
    changes = [PostChanges(title="New"), PostChanges(tags=["a"]), PostChanges(excerpt="Short")]
    await asyncio.gather(*(world.posts.change(world.ada, post.id, change, None) for change in changes))
    found = await world.posts.get(world.ada, post.slug)  # the slug stays
    assert (found.view.title, found.view.tags, found.view.excerpt, found.version) == ("New", ["a"], "Short", 4)


async def test_replacing_keeps_the_status_that_is_left_out_and_clears_the_rest(world: World) -> None:
    post = await world.write()
    await world.posts.change(world.ada, post.id, PostChanges(excerpt="Short", tags=["a"]), None)
    replaced = await world.posts.replace(world.ada, post.id, PostFields(title="New", content=HELLO), 2)
    assert (replaced.view.status, replaced.view.excerpt, replaced.view.tags) == ("PUBLISHED", None, [])
    untyped = PostFields(title="New", content=Content(blocks=[{}]))
    with pytest.raises(InvalidPayload):
        await world.posts.replace(world.ada, post.id, untyped, None)


async def test_only_the_author_changes_and_deletes(world: World) -> None:
    post, draft = await world.write(), await world.write(status="DRAFT")
    for reference, refusal in ((post.id, Forbidden), (draft.id, NotFound)):
        with pytest.raises(refusal):
            await world.posts.change(world.bob, reference, PostChanges(title="x"), None)
        with pytest.raises(refusal):
            await world.posts.delete(world.bob, reference, None)


async def test_a_deleted_post_is_gone_and_its_slug_is_not_given_away(world: World) -> None:
    post = await world.write()
    with pytest.raises(PreconditionFailed):
        await world.posts.delete(world.ada, post.id, 7)
    await world.posts.delete(world.ada, post.id, 1)
    with pytest.raises(NotFound):
        await world.posts.get(world.ada, post.slug)
    with pytest.raises(NotFound):
        await world.posts.delete(world.ada, post.id, None)
    assert (await world.write()).slug != post.slug


async def test_a_subscription_takes_the_bare_id_and_the_object(world: World) -> None:
    post = await world.write()
    assert await world.subscribe(world.bob, post.id) == {"contentId": post.id, "memberCount": 1}
    assert await world.subscribe(world.eve, {"contentId": post.id}) == {"contentId": post.id, "memberCount": 2}
    left = await world.router.dispatch("content:unsubscribe", world.bob, post.id)
    assert left == {"contentId": post.id, "memberCount": 1}


@pytest.mark.parametrize("payload", ["hello", 3, None, {}, {"contentId": 1}, {"contentId": new_uuid(), "x": 1}])
async def test_a_subscription_to_no_id_is_refused(world: World, payload: object) -> None:
    with pytest.raises(InvalidPayload):
        await world.subscribe(world.bob, payload)


async def test_a_post_withdrawn_while_somebody_subscribes_is_not_watched(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = await world.write()
    join = world.rooms.join

    async def withdrawn_before_joining(connection_id: Any, room: Any) -> int:
        await world.posts.delete(world.ada, post.id, None)
        return await join(connection_id, room)

    monkeypatch.setattr(world.rooms, "join", withdrawn_before_joining)
    with pytest.raises(NotFound):
        await world.subscribe(world.bob, post.id)
    assert not world.rooms.is_member(world.bob.connection_id, content_room(post.id))


async def test_followers_are_told_of_a_published_post_once_each_however_many_they_are(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "FAN_OUT", 2)
    followers = sorted(UserId(new_uuid()) for _ in range(5))
    world.people.followers[world.ada.user_id] = list(followers)
    post = await world.write()
    emitted = await world.relayed()
    assert [event for _, event in emitted] == ["content:new"] * 3
    rooms = [room for rooms, _ in emitted for room in rooms]
    assert rooms == [POSTS_FEED, content_room(post.id), user_room(world.ada.user_id), *map(user_room, followers)]
    (_, told), *_ = world.rooms.emitted
    assert isinstance(told, ContentNew)
    assert (told.content, told.timestamp) == (post, post.published_at)


async def test_watchers_are_told_of_changes_and_of_the_end_in_order(world: World) -> None:
    post = await world.write()
    await world.relayed()
    world.rooms.emitted.clear()
    changed = await world.posts.change(world.ada, post.id, PostChanges(title="New"), None)
    await world.relayed()
    await world.posts.delete(world.ada, post.id, None)
    await world.relayed()
    assert world.rooms.events_to(content_room(post.id)) == [
        ContentUpdated(content_id=post.id, content=changed.view),
        ContentRemoved(content_id=post.id),
    ]


async def test_what_a_draft_says_reaches_nobody_even_if_the_event_is_older(world: World) -> None:
    world.people.followers[world.ada.user_id] = [world.bob.user_id]
    post = await world.write()
    await world.posts.change(world.ada, post.id, PostChanges(status="DRAFT"), None)  # before anything was relayed
    await world.posts.change(world.ada, post.id, PostChanges(title="Secret"), None)
    assert await world.relayed() == [([content_room(post.id)], "content:removed")]


async def test_an_event_is_committed_with_its_row_or_not_at_all(world: World) -> None:
    post = await world.write(status="DRAFT")
    with pytest.raises(PreconditionFailed):
        await world.posts.change(world.ada, post.id, PostChanges(status="PUBLISHED"), 9)
    assert await world.pool.fetchval("SELECT count(*) FROM outbox") == 0
    await world.posts.change(world.ada, post.id, PostChanges(status="PUBLISHED"), 1)
    assert await world.pool.fetchval("SELECT array_agg(topic) FROM outbox") == ["content.published"]


def test_the_routes_are_those_of_the_contract() -> None:
    unused: Any = None
    api = content_api(Posts(unused, unused, unused, unused, nudge=unused))
    assert {f"{endpoint.method} {endpoint.path} {endpoint.caller}" for endpoint in api.endpoints} == {
        "POST /posts required",
        "GET /posts optional",
        "GET /posts/{postId} optional",
        "PUT /posts/{postId} required",
        "PATCH /posts/{postId} required",
        "DELETE /posts/{postId} required",
        "GET /users/{userId}/posts optional",
    }

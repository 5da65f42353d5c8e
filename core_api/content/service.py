"""Posts as they are written and read."""

from collections.abc import Callable
from dataclasses import dataclass

from core_api.content.model import Post, announcement, as_changes, changed, new_post
from core_api.content.schema import Position, PostChanges, PostFields, PostView, PublishedAt
from core_api.content.store import PostStore
from core_api.content.views import PostViews
from core_api.ports import Profiles
from hub.kernel.clock import Clock
from hub.kernel.errors import Conflict, NotFound, PreconditionFailed
from hub.kernel.events import Actor
from hub.kernel.ids import new_uuid
from hub.kernel.pages import Page, PageQuery, decode_cursor, page
from hub.kernel.ports import Access
from hub.kernel.wire import Uuid

MAX_TRIES = 5
"""Times that a change without If-Match starts anew because another one came first."""


@dataclass(frozen=True, slots=True)
class Versioned:
    """A post's view, and the version that it shows."""

    view: PostView
    version: int


class Posts:
    """The use cases under /posts. ``nudge`` is called after a transaction with an event for the outbox."""

    def __init__(
        self, store: PostStore, access: Access, profiles: Profiles, clock: Clock, *, nudge: Callable[[], None]
    ) -> None:
        self._store = store
        self._access = access
        self._profiles = profiles
        self._views = PostViews(profiles)
        self._clock = clock
        self._nudge = nudge

    async def create(self, actor: Actor, fields: PostFields) -> Versioned:
        """Write a post. Raises InvalidPayload, PayloadTooLarge."""
        post = new_post(new_uuid(), actor.user_id, fields, self._clock.now())
        stored = await self._store.add(post, announcement(None, post))
        self._nudge()
        return await self._versioned(stored)

    async def get(self, actor: Actor | None, reference: str) -> Versioned:
        """The post with this id or slug. Raises NotFound."""
        return await self._versioned(await self._accessible(actor, "read", reference))

    async def list(self, actor: Actor | None, query: PageQuery) -> Page[PostView]:
        """Published posts, the newest first. A page may be shorter than asked: blocked authors are left out."""
        before = None if query.cursor is None else decode_cursor(query.cursor, tuple[PublishedAt, Uuid])
        posts = await self._store.published(before, query.limit + 1)
        listed = page(posts, query.limit, lambda post: post, lambda post: (post.published_at, post.id))
        hidden: frozenset[str] = frozenset()
        if actor is not None:
            hidden = await self._access.blocked_among(actor.user_id, (post.author_id for post in listed.data))
        visible = [post for post in listed.data if post.author_id not in hidden]
        return Page(data=await self._views.all(visible), page_info=listed.page_info)

    async def by_author(self, actor: Actor | None, author_id: str, query: PageQuery) -> Page[PostView]:
        """Somebody's posts, the latest written first; one's own with the drafts. Raises NotFound."""
        myself = actor is not None and actor.user_id == author_id
        blocked = actor is not None and await self._access.blocked(actor.user_id, author_id)
        if blocked or not await self._profiles.exists(author_id):
            raise NotFound
        before = None if query.cursor is None else decode_cursor(query.cursor, tuple[Position])[0]
        posts = await self._store.by_author(author_id, before, query.limit + 1, drafts=myself)
        listed = page(posts, query.limit, lambda post: post, lambda post: (post.number,))
        return Page(data=await self._views.all(listed.data), page_info=listed.page_info)

    async def replace(self, actor: Actor, reference: str, fields: PostFields, version: int | None) -> Versioned:
        """Replace everything an author writes, but for a status that is left out. Raises as :meth:`change`."""
        new_post(new_uuid(), actor.user_id, fields, self._clock.now())  # the same rules as for a new one
        return await self.change(actor, reference, as_changes(fields), version)

    async def change(self, actor: Actor, reference: str, changes: PostChanges, version: int | None) -> Versioned:
        """Change one's own post, if it is still at ``version`` (``None``: whatever it is at).

        Raises NotFound, Forbidden (somebody else's), PreconditionFailed, InvalidPayload, PayloadTooLarge.
        """
        for _ in range(MAX_TRIES):
            before = await self._own(actor, reference, version)
            after = changed(before, changes, self._clock.now())
            if await self._store.replace(after, announcement(before, after)):
                self._nudge()
                return await self._versioned(after)
        raise Conflict("The post is being changed by others. Try again.", retry_after=1)

    async def delete(self, actor: Actor, reference: str, version: int | None) -> None:
        """Delete one's own post. Raises as :meth:`change`."""
        for _ in range(MAX_TRIES):
            post = await self._own(actor, reference, version)
            if await self._store.delete(post, self._clock.now(), announcement(post, None)):
                self._nudge()
                return
        raise Conflict("The post is being changed by others. Try again.", retry_after=1)

    async def _own(self, actor: Actor, reference: str, version: int | None) -> Post:
        post = await self._accessible(actor, "manage", reference)
        if version not in (None, post.version):
            raise PreconditionFailed
        return post

    async def _accessible(self, actor: Actor | None, action: str, reference: str) -> Post:
        post = await self._store.post(reference)
        if post is None:
            raise NotFound
        await self._access.check(actor, action, "content", post.id)
        return post

    async def _versioned(self, post: Post) -> Versioned:
        return Versioned(await self._views.one(post), post.version)

"""Watching posts, and what those who watch or follow are told of them."""

from collections.abc import Awaitable, Callable, Mapping

from core_api.content.model import PUBLISHED, REMOVED, UPDATED, Post, content_room
from core_api.content.schema import ContentNew, ContentRemoved, ContentUpdated, Watching
from core_api.content.store import PostStore
from core_api.content.views import PostViews
from core_api.outbox import Payload, Sink
from core_api.ports import POSTS_FEED, Follows, Profiles
from hub.kernel.errors import HubError
from hub.kernel.events import Caller
from hub.kernel.ids import UserId, user_room
from hub.kernel.ports import Access, Rooms

FAN_OUT = 500
"""Followers a query and an emit: some 25 KB of room names on the wire between nodes."""


class Subscriptions:
    """The use cases of content:subscribe, and the sinks of the outbox.

    What is told is the post as it is at that moment, so an event that comes twice or late does no harm.
    """

    def __init__(self, store: PostStore, rooms: Rooms, access: Access, follows: Follows, profiles: Profiles) -> None:
        self._store = store
        self._rooms = rooms
        self._access = access
        self._follows = follows
        self._views = PostViews(profiles)

    async def subscribe(self, caller: Caller, content_id: str) -> Watching:
        """Watch a post. Idempotent. Raises NotFound if the person may not read it."""
        await self._access.check(caller, "read", "content", content_id)
        count = await self._rooms.join(caller.connection_id, content_room(content_id))
        try:
            # Once more: what was withdrawn since the first check was withdrawn before they had come in.
            await self._access.check(caller, "read", "content", content_id)
        except HubError:
            await self._rooms.leave(caller.connection_id, content_room(content_id))
            raise
        return Watching(content_id=content_id, member_count=count)

    async def restore(self, caller: Caller, content_ids: Mapping[str, bytes]) -> None:
        """The caller's connection came back, and watches these posts. Raises NotFound for one that is not for it."""
        for content_id in content_ids:
            await self._access.check(caller, "read", "content", content_id)

    async def unsubscribe(self, caller: Caller, content_id: str) -> Watching:
        """Watch it no longer. Idempotent. Raises NotFound for a post that the person may not read."""
        if not self._rooms.is_member(caller.connection_id, content_room(content_id)):
            await self._access.check(caller, "read", "content", content_id)  # the count is not for everybody
        count = await self._rooms.leave(caller.connection_id, content_room(content_id))
        return Watching(content_id=content_id, member_count=count)

    async def expel(self, content_id: str, user_id: UserId) -> None:
        """Have every connection of a person watch a post no longer, on all nodes. Idempotent."""
        await self._rooms.evict(content_room(content_id), of=user_room(user_id))

    def sinks(self) -> dict[str, Sink]:
        """What to do with the events of the outbox."""
        return {PUBLISHED: _of(self._published), UPDATED: _of(self._updated), REMOVED: _of(self._removed)}

    async def _published(self, content_id: str) -> None:
        post = await self._public(content_id)
        if post is None or post.published_at is None:
            return
        event = ContentNew(content=await self._views.one(post), timestamp=post.published_at)
        # Before its publication nobody but the author could watch it; all watchers are told with the first page, so
        # that a connection in both rooms gets it once.
        rooms, after = [POSTS_FEED, content_room(content_id), user_room(post.author_id)], None
        while True:
            followers = await self._follows.follower_ids(post.author_id, after, FAN_OUT)
            rooms.extend(user_room(UserId(follower)) for follower in followers)
            if rooms:
                await self._rooms.emit(rooms, event)
            if len(followers) < FAN_OUT:
                return
            rooms, after = [], followers[-1]

    async def _updated(self, content_id: str) -> None:
        post = await self._public(content_id)
        if post is not None:
            event = ContentUpdated(content_id=content_id, content=await self._views.one(post))
            await self._rooms.emit(content_room(content_id), event)

    async def _removed(self, content_id: str) -> None:
        if await self._public(content_id) is None:
            room = content_room(content_id)
            await self._rooms.emit(room, ContentRemoved(content_id=content_id))
            # Its author too, who may read a draft: nothing is told there until it is published, to everybody anew.
            await self._rooms.evict(room, of=room)

    async def _public(self, content_id: str) -> Post | None:
        post = await self._store.post(content_id)
        return post if post is not None and post.status == "PUBLISHED" else None


def _of(tell: Callable[[str], Awaitable[None]]) -> Sink:
    async def sink(payload: Payload) -> None:
        await tell(payload["contentId"])

    return sink

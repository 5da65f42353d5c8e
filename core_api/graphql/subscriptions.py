"""What can be listened to. Each event is checked against what the viewer may see at that moment."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import msgspec
import strawberry

from core_api.companions.chat_schema import CompanionTyping
from core_api.content.schema import ContentNew, PostView
from core_api.graphql import arguments
from core_api.graphql.companions import TypingIndicator
from core_api.graphql.context import Context, Info
from core_api.graphql.feed import Counter, Feed, listening
from core_api.graphql.people_and_posts import Post
from core_api.graphql.vocabulary import BigInt, auth
from core_api.ports import POSTS_FEED
from hub.kernel.errors import NotFound
from hub.kernel.ids import UserId, user_room
from hub.kernel.wire import Uuid, Wire


class PersonRef(Wire):
    """Whose presence."""

    user_id: Uuid


class DocumentRef(Wire):
    """Which document."""

    document_id: Uuid


class CompanionRef(Wire):
    """Which companion."""

    companion_id: Uuid


class SeenPresence(msgspec.Struct, rename="camel"):
    """What is used of a presence on the wire."""

    user_id: str
    status: str
    version: int
    last_seen: datetime | None
    text: str | None = None


@strawberry.type
class PresenceUpdate:
    """A person's presence; the highest version is the latest."""

    user_id: strawberry.ID
    status: str = strawberry.field(description="online, away, busy, dnd or offline; of oneself also invisible")
    text: str | None
    last_seen: datetime | None
    version: BigInt


@strawberry.type
class DocumentChange:
    """A document was changed. What was, its editors see by `collab:join`."""

    document_id: strawberry.ID
    changes: int = strawberry.field(description="Committed changes since the last event.")


@strawberry.type
class Subscription:
    """Events from now on. What is so already, and what was missed, is for a query to say."""

    @strawberry.subscription
    async def post_added(self, info: Info) -> AsyncIterator[Post]:
        """Posts of all authors as they are published, as far as the viewer may read them."""
        context = info.context
        async with listening(context.services.rooms, {POSTS_FEED: _new_post}, context.settings.backlog) as posts:
            async for post in posts:
                if await _may_read(context, "content", post["id"]):
                    yield Post.of(msgspec.convert(post, PostView))

    @auth
    @strawberry.subscription
    async def user_presence_changed(self, info: Info, user_id: strawberry.ID) -> AsyncIterator[PresenceUpdate]:
        """A person's presence as it changes, as far as the viewer may see it at that moment."""
        context, viewer = info.context, info.context.signed_in.user_id
        watched = UserId(arguments.check(PersonRef, userId=user_id).user_id)

        feed = Feed[Any](context.settings.backlog)
        async with context.services.presence.follow(viewer, watched, feed.put):
            async for presence in feed:
                seen = msgspec.convert(presence, SeenPresence)
                yield PresenceUpdate(
                    user_id=strawberry.ID(watched),
                    status=seen.status,
                    text=seen.text,
                    last_seen=seen.last_seen,
                    version=BigInt(seen.version),
                )

    @auth
    @strawberry.subscription
    async def document_changed(self, info: Info, document_id: strawberry.ID) -> AsyncIterator[DocumentChange]:
        """That a document was changed, by whomever, four times a second at most. Ends with the right to read it."""
        context, changes = info.context, Counter()
        document = arguments.check(DocumentRef, documentId=document_id).document_id
        await context.services.access.check(context.signed_in, "read", "document", document)
        async with context.services.documents.follow(document, changes.add):
            while True:
                count = await changes.taken()
                async with context.turn():
                    await context.services.access.check(context.actor, "read", "document", document)
                yield DocumentChange(document_id=document_id, changes=count)
                await asyncio.sleep(context.settings.document_s)

    @auth
    @strawberry.subscription
    async def ai_companion_typing(self, info: Info, companion_id: strawberry.ID) -> AsyncIterator[TypingIndicator]:
        """That one's companion begins or ends a reply, in whichever conversation."""
        context, owner = info.context, info.context.signed_in
        companion = arguments.check(CompanionRef, companionId=companion_id).companion_id
        await context.services.companions.get(owner, companion)

        def pick(event: str, payload: Any) -> Any:
            return payload if event == CompanionTyping.event and payload["companionId"] == companion else None

        # The owner's own room: nobody else's events come by it.
        async with listening(
            context.services.rooms, {user_room(owner.user_id): pick}, context.settings.backlog
        ) as feed:
            async for payload in feed:
                yield TypingIndicator(
                    companion_id=companion_id,
                    conversation_id=strawberry.ID(payload["conversationId"]),
                    typing=payload["typing"],
                )


def _new_post(event: str, payload: Any) -> Any:
    return payload["content"] if event == ContentNew.event else None


async def _may_read(context: Context, resource: str, resource_id: str) -> bool:
    async with context.turn():
        try:
            await context.services.access.check(context.actor, "read", resource, resource_id)
        except NotFound:
            return False
    return True

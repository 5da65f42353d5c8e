"""People, what they write, and the pages of it. In one file, since each leads to the other."""

from datetime import datetime
from enum import Enum
from typing import Self

import msgspec
import strawberry
from strawberry.scalars import JSON

from core_api.accounts import schema as accounts
from core_api.content.schema import PostView
from core_api.graphql.arguments import DEFAULT_FIRST, page_query
from core_api.graphql.context import Info
from core_api.graphql.vocabulary import PageInfo
from core_api.ports import UserBrief
from hub.kernel.errors import NotFound
from hub.kernel.ids import UserId
from hub.kernel.pages import Page, PageQuery


@strawberry.enum
class ContentStatus(Enum):
    """Whether others can read it."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"


@strawberry.type
class Profile:
    """What somebody writes about themselves."""

    owner: strawberry.Private["User"]
    display_name: str = strawberry.field(description="Empty where the person chose none: show the username then.")

    @strawberry.field
    async def bio(self, info: Info) -> str:
        """A few words."""
        return (await self.owner.whole(info)).bio


@strawberry.type
class User:
    """A person."""

    # Made of the whole, or of a brief, as posts carry it. What a brief lacks is looked up when it is asked for.

    id: strawberry.ID
    username: str
    shown_name: strawberry.Private[str]
    known: strawberry.Private[accounts.User | None] = None

    @classmethod
    def of(cls, user: accounts.User) -> Self:
        """From the whole."""
        return cls(id=strawberry.ID(user.id), username=user.username, shown_name=user.display_name, known=user)

    @classmethod
    def of_brief(cls, user: UserBrief) -> Self:
        """From what stands beside a post."""
        return cls(id=strawberry.ID(user.id), username=user.username, shown_name=user.display_name)

    async def whole(self, info: Info) -> accounts.User:
        """Everything that the viewer may know. Raises NotFound if the person is gone since."""
        if self.known is None:
            self.known = await info.context.people.load(UserId(self.id))
        if self.known is None:
            raise NotFound
        return self.known

    @strawberry.field
    def profile(self) -> Profile:
        """What they write about themselves."""
        return Profile(owner=self, display_name=self.shown_name)

    @strawberry.field
    async def email(self, info: Info) -> str | None:
        """One's own; `null` of everybody else."""
        email = (await self.whole(info)).email
        return None if email is msgspec.UNSET else email

    @strawberry.field
    async def created_at(self, info: Info) -> datetime:
        """When they signed up."""
        return (await self.whole(info)).created_at

    @strawberry.field
    async def posts(self, info: Info, first: int = DEFAULT_FIRST, after: str | None = None) -> "PostConnection":
        """What they wrote, the latest first; one's own with the drafts."""
        query = page_query(first, after)
        context = info.context
        async with context.turn():
            found = await context.services.posts.by_author(context.actor, self.id, query)
        return PostConnection.of(found, query)


@strawberry.type
class Post:
    """Something that somebody wrote."""

    id: strawberry.ID
    author: User | None = strawberry.field(description="`null` if the account is gone.")
    title: str
    slug: str
    content: JSON = strawberry.field(description="`{blocks: [{type, …}]}`")
    excerpt: str | None
    cover_image: str | None
    tags: list[str]
    status: ContentStatus
    view_count: int
    reading_time: int = strawberry.field(description="Minutes.")
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, view: PostView) -> Self:
        """From the wire of REST."""
        return cls(
            id=strawberry.ID(view.id),
            author=None if view.author is None else User.of_brief(view.author),
            title=view.title,
            slug=view.slug,
            content=JSON({"blocks": view.content.blocks}),
            excerpt=view.excerpt,
            cover_image=view.cover_image,
            tags=view.tags,
            status=ContentStatus(view.status),
            view_count=view.view_count,
            reading_time=view.reading_time,
            published_at=view.published_at,
            created_at=view.created_at,
            updated_at=view.updated_at,
        )


@strawberry.type
class PostEdge:
    """A post in a page."""

    node: Post
    cursor: str | None = strawberry.field(description="Of the last edge, if there is more: where the next page begins.")


@strawberry.type
class PostConnection:
    """A page of posts."""

    edges: list[PostEdge]
    page_info: PageInfo

    @classmethod
    def of(cls, page: Page[PostView], query: PageQuery) -> Self:
        """From a page of REST."""
        edges = [PostEdge(node=Post.of(view), cursor=None) for view in page.data]
        if edges:
            edges[-1].cursor = page.page_info.next_cursor
        return cls(edges=edges, page_info=PageInfo.of(page, query))

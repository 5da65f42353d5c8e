"""A post as others see it, with its author."""

from collections.abc import Sequence

from core_api.content.model import Post
from core_api.content.schema import PostView
from core_api.ports import Profiles, UserBrief


class PostViews:
    """Looks up the authors, all of a page in one query."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    async def one(self, post: Post) -> PostView:
        """The view of a post."""
        (view,) = await self.all([post])
        return view

    async def all(self, posts: Sequence[Post]) -> list[PostView]:
        """The views of posts, in their order."""
        authors = await self._profiles.briefs(post.author_id for post in posts)
        return [_view(post, authors.get(post.author_id)) for post in posts]


def _view(post: Post, author: UserBrief | None) -> PostView:
    return PostView(
        id=post.id,
        slug=post.slug,
        title=post.title,
        content=post.content,
        excerpt=post.excerpt,
        cover_image=post.cover_image,
        tags=post.tags,
        category=None,
        status=post.status,
        author=author,
        view_count=0,
        reading_time=post.reading_minutes,
        sentiment=None,
        published_at=post.published_at,
        created_at=post.created_at,
        updated_at=post.updated_at,
    )

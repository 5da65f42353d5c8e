"""The REST side of content: /posts and /users/{userId}/posts."""

from core_api.content.schema import PostChanges, PostFields, PostRef, PostView
from core_api.content.service import Posts, Versioned
from hub.kernel.events import Actor
from hub.kernel.http import Reply, RestApi
from hub.kernel.pages import Page, PageQuery
from hub.kernel.wire import Uuid


def content_api(posts: Posts) -> RestApi:
    """Posts. One path parameter for all methods, since OpenAPI takes two names for one place as one path twice."""
    api = RestApi("content")

    async def create_post(body: PostFields, actor: Actor) -> Reply[PostView]:
        """Write a post."""
        created = await posts.create(actor, body)
        return Reply(created.view, version=created.version, location=f"/posts/{created.view.slug}")

    async def list_posts(query: PageQuery, actor: Actor | None) -> Page[PostView]:
        """List published posts, the newest first."""
        return await posts.list(actor, query)

    async def get_post(post_id: PostRef, actor: Actor | None) -> Reply[PostView]:
        """Get a post by its slug or id; drafts are their authors' to see."""
        return _reply(await posts.get(actor, post_id))

    async def replace_post(post_id: PostRef, body: PostFields, actor: Actor, if_match: int | None) -> Reply[PostView]:
        """Replace one's own post."""
        return _reply(await posts.replace(actor, post_id, body, if_match))

    async def change_post(post_id: PostRef, body: PostChanges, actor: Actor, if_match: int | None) -> Reply[PostView]:
        """Change fields of one's own post."""
        return _reply(await posts.change(actor, post_id, body, if_match))

    async def delete_post(post_id: PostRef, actor: Actor, if_match: int | None) -> None:
        """Delete one's own post."""
        await posts.delete(actor, post_id, if_match)

    async def list_posts_of_user(user_id: Uuid, query: PageQuery, actor: Actor | None) -> Page[PostView]:
        """List somebody's posts, the latest written first; one's own with the drafts."""
        return await posts.by_author(actor, user_id, query)

    api.post("/posts", create_post)
    api.get("/posts", list_posts)
    api.get("/posts/{postId}", get_post)
    api.put("/posts/{postId}", replace_post)
    api.patch("/posts/{postId}", change_post)
    api.delete("/posts/{postId}", delete_post)
    api.get("/users/{userId}/posts", list_posts_of_user)
    return api


def _reply(post: Versioned) -> Reply[PostView]:
    return Reply(post.view, version=post.version)

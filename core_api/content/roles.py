"""What somebody is to a post, for the access rule."""

from core_api.content.store import PostStore
from hub.kernel.ports import Access


class ContentRoles:
    """Implements hub.kernel.ports.Roles for ``content``."""

    def __init__(self, store: PostStore, access: Access) -> None:
        self._store = store
        self._access = access

    async def role(self, user_id: str | None, resource_id: str) -> str | None:
        """``owner`` for the author. A published post is everybody's to comment on, and of those who are not signed in
        to read; for whom its author blocks, or who blocks the author, it does not exist, as a draft does for nobody
        but its author.
        """
        standing = await self._store.standing(resource_id)
        if standing is None:
            return None
        if user_id == standing.author_id:
            return "owner"
        if standing.status != "PUBLISHED":
            return None
        if user_id is None:
            return "viewer"
        return None if await self._access.blocked(user_id, standing.author_id) else "commenter"

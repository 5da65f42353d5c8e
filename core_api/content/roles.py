"""What somebody is to a post, for the access rule."""

from collections.abc import Set

from core_api.content.store import PostStore, Standing
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
        if user_id is not None and await self._access.blocked(user_id, standing.author_id):
            return None
        return _role(standing, user_id)

    async def roles(self, user_id: str, resource_ids: Set[str]) -> dict[str, str]:
        """The same of many posts."""
        found = await self._store.standings(resource_ids)
        hidden = await self._access.blocked_among(user_id, {standing.author_id for standing in found.values()})
        roles = {
            post_id: _role(standing, user_id) for post_id, standing in found.items() if standing.author_id not in hidden
        }
        return {post_id: role for post_id, role in roles.items() if role is not None}


def _role(standing: Standing, user_id: str | None) -> str | None:
    """Without a look at blocks."""
    if user_id == standing.author_id:
        return "owner"
    if standing.status != "PUBLISHED":
        return None
    return "viewer" if user_id is None else "commenter"

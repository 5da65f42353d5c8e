"""What somebody is in a room, for the access rule."""

from core_api.rooms.model import access_role
from core_api.rooms.store import RoomStore
from hub.kernel.ports import Access


class RoomRoles:
    """Implements hub.kernel.ports.Roles for ``room``."""

    def __init__(self, store: RoomStore, access: Access) -> None:
        self._store = store
        self._access = access

    async def role(self, user_id: str | None, resource_id: str) -> str | None:
        """See core_api.rooms.model.access_role. A public room does not exist for whom its owner blocks or who blocks
        them; members stay members until somebody takes them out."""
        room = await self._store.room(resource_id, user_id)
        if room is None:
            return None
        if user_id is not None and room.role is None and await self._access.blocked(user_id, room.owner_id):
            return None
        return access_role(room, signed_in=user_id is not None)

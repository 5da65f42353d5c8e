"""What somebody is in a room, for the access rule."""

from collections.abc import Set

from core_api.rooms.model import access_role
from core_api.rooms.store import RoomStore
from hub.kernel.ids import UserId
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

    async def roles(self, user_id: str, resource_ids: Set[str]) -> dict[str, str]:
        """The same of many rooms."""
        reader = UserId(user_id)
        found = await self._store.standings({(reader, room_id) for room_id in resource_ids})
        strange = {standing.owner_id for standing in found.values() if standing.role is None}
        hidden = await self._access.blocked_among(user_id, strange)
        roles = {
            room_id: access_role(standing, signed_in=True)
            for (_, room_id), standing in found.items()
            if standing.role is not None or standing.owner_id not in hidden
        }
        return {room_id: role for room_id, role in roles.items() if role is not None}

"""The REST side of rooms: /rooms."""

from core_api.rooms.schema import MemberView, NewMember, NewRoom, RoomMessage, RoomView
from core_api.rooms.service import RoomDirectory
from hub.kernel.events import Actor
from hub.kernel.http import Reply, RestApi
from hub.kernel.pages import Page, PageQuery
from hub.kernel.wire import Uuid


def rooms_api(directory: RoomDirectory) -> RestApi:
    """Rooms, their members, their messages."""
    api = RestApi("rooms")

    async def create_room(body: NewRoom, actor: Actor) -> Reply[RoomView]:
        """Make a room."""
        room = await directory.create(actor, body)
        return Reply(room, location=f"/rooms/{room.id}")

    async def list_rooms(query: PageQuery, actor: Actor) -> Page[RoomView]:
        """List public rooms and one's own, the newest first."""
        return await directory.list(actor, query)

    async def get_room(room_id: Uuid, actor: Actor) -> Reply[RoomView]:
        """Get a room."""
        return Reply(await directory.get(actor, room_id))

    async def list_members(room_id: Uuid, query: PageQuery, actor: Actor) -> Page[MemberView]:
        """List the members of a room in the order they came."""
        return await directory.members(actor, room_id, query)

    async def add_member(room_id: Uuid, body: NewMember, actor: Actor) -> Reply[MemberView]:
        """Add a member to one's own room."""
        member = await directory.add_member(actor, room_id, body)
        return Reply(member, location=f"/rooms/{room_id}/members/{member.user_id}")

    async def remove_member(room_id: Uuid, user_id: Uuid, actor: Actor) -> None:
        """Remove a member from one's own room, or leave a room."""
        await directory.remove_member(actor, room_id, user_id)

    async def list_messages(room_id: Uuid, query: PageQuery, actor: Actor) -> Page[RoomMessage]:
        """List the messages of a room, the newest first."""
        return await directory.messages(actor, room_id, query)

    api.post("/rooms", create_room)
    api.get("/rooms", list_rooms)
    api.get("/rooms/{roomId}", get_room)
    api.get("/rooms/{roomId}/members", list_members)
    api.post("/rooms/{roomId}/members", add_member)
    api.delete("/rooms/{roomId}/members/{userId}", remove_member)
    api.get("/rooms/{roomId}/messages", list_messages)
    return api

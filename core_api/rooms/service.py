"""Rooms as they are kept: making, listing, members, what was said."""

import logging
from collections.abc import Awaitable, Callable

from core_api.ports import Profiles, UserBrief
from core_api.rooms.model import Member, Message, Room
from core_api.rooms.schema import MemberView, NewMember, NewRoom, Position, RoomMessage, RoomView
from core_api.rooms.store import RoomStore
from hub.kernel.clock import Clock
from hub.kernel.errors import Conflict, NotFound, Unavailable
from hub.kernel.events import Actor
from hub.kernel.ids import UserId, new_uuid
from hub.kernel.pages import Page, PageQuery, decode_cursor, page
from hub.kernel.ports import Access

log = logging.getLogger(__name__)

Expel = Callable[[str, UserId], Awaitable[None]]
"""Puts a person's connections out of a room."""


class RoomDirectory:
    """The use cases under /rooms.

    ``expel`` is called after a member was removed; ``nudge`` after a transaction with an event for the outbox.
    """

    def __init__(
        self,
        store: RoomStore,
        access: Access,
        profiles: Profiles,
        clock: Clock,
        *,
        expel: Expel,
        nudge: Callable[[], None],
    ) -> None:
        self._store = store
        self._access = access
        self._profiles = profiles
        self._clock = clock
        self._expel = expel
        self._nudge = nudge

    async def create(self, actor: Actor, new: NewRoom) -> RoomView:
        """Make a room that ``actor`` owns."""
        room = await self._store.create(new_uuid(), new.name, new.visibility, actor.user_id, self._clock.now())
        return _room_view(room)

    async def list(self, actor: Actor, query: PageQuery) -> Page[RoomView]:
        """Public rooms and one's own, newest first. A page may be shorter than asked: blocked owners are left out."""
        rooms = await self._store.rooms(actor.user_id, _position(query), query.limit + 1)
        strangers = {room.owner_id for room in rooms if room.role is None}
        hidden = await self._access.blocked_among(actor.user_id, strangers)
        listed = page(rooms, query.limit, lambda room: room, lambda room: (room.number,))
        visible = [_room_view(room) for room in listed.data if room.role is not None or room.owner_id not in hidden]
        return Page(data=visible, page_info=listed.page_info)

    async def get(self, actor: Actor, room_id: str) -> RoomView:
        """One room. Raises NotFound."""
        await self._access.check(actor, "read", "room", room_id)
        room = await self._store.room(room_id, actor.user_id)
        if room is None:
            raise NotFound
        return _room_view(room)

    async def members(self, actor: Actor, room_id: str, query: PageQuery) -> Page[MemberView]:
        """Members in the order they came. Raises NotFound."""
        await self._access.check(actor, "read", "room", room_id)
        members = await self._store.members(room_id, _position(query), query.limit + 1)
        people = await self._profiles.briefs(member.user_id for member in members)
        return page(members, query.limit, lambda member: _member_view(member, people), lambda member: (member.number,))

    async def add_member(self, actor: Actor, room_id: str, new: NewMember) -> MemberView:
        """Make somebody a member; who is one already stays as they are.

        Raises NotFound (the room, or the person), Forbidden (not the owner).
        """
        await self._access.check(actor, "manage", "room", room_id)
        user_id = UserId(new.user_id)
        person = (await self._profiles.briefs([user_id])).get(user_id)
        if person is None or await self._access.blocked(actor.user_id, user_id):
            raise NotFound("There is no such person.")
        member = await self._store.add_member(room_id, user_id, self._clock.now())
        return _member_view(member, {user_id: person})

    async def remove_member(self, actor: Actor, room_id: str, user_id: str) -> None:
        """Take a member out, or leave; their connections leave the room at once.

        Raises NotFound (the room, or no member), Forbidden (neither oneself nor the owner), Conflict (the owner).
        """
        myself = user_id == actor.user_id
        await self._access.check(actor, "read" if myself else "manage", "room", room_id)
        room = await self._store.room(room_id, user_id)
        if room is not None and room.role == "owner":
            raise Conflict("A room has an owner as long as it exists.")
        if not await self._store.remove_member(room_id, UserId(user_id)):
            raise NotFound("There is no such member.")
        self._nudge()
        try:
            await self._expel(room_id, UserId(user_id))
        except Unavailable as error:
            log.warning("the relay of the outbox will put a removed member out of room %s: %r", room_id, error)

    async def messages(self, actor: Actor, room_id: str, query: PageQuery) -> Page[RoomMessage]:
        """What was said, newest first. Raises NotFound."""
        await self._access.check(actor, "read", "room", room_id)
        messages = await self._store.messages(room_id, _position(query), query.limit + 1)
        return page(messages, query.limit, _message_view, lambda message: (message.seq,))


def _position(query: PageQuery) -> int | None:
    return None if query.cursor is None else decode_cursor(query.cursor, tuple[Position])[0]


def _room_view(room: Room) -> RoomView:
    return RoomView(
        id=room.id,
        name=room.name,
        visibility=room.visibility,
        owner_id=room.owner_id,
        role=room.role,
        last_seq=room.last_seq,
        created_at=room.created_at,
    )


def _member_view(member: Member, people: dict[str, UserBrief]) -> MemberView:
    return MemberView(
        user_id=member.user_id, user=people.get(member.user_id), role=member.role, joined_at=member.joined_at
    )


def _message_view(message: Message) -> RoomMessage:
    return RoomMessage(
        room_id=message.room_id,
        message_id=message.id,
        seq=message.seq,
        sender=message.sender_id,
        body=message.body,
        sent_at=message.sent_at,
    )

"""Rooms and their members: making, listing, adding, removing."""

from collections.abc import Callable

from core_api.outbox import Payload, Sink
from core_api.ports import Profiles, UserBrief
from core_api.rooms.attendance import Door
from core_api.rooms.model import Member, Message, Room
from core_api.rooms.schema import MemberView, NewMember, NewRoom, Position, RoomMessage, RoomView
from core_api.rooms.store import MEMBER_REMOVED, RoomStore
from hub.kernel.clock import Clock
from hub.kernel.errors import Conflict, NotFound
from hub.kernel.events import Actor
from hub.kernel.ids import UserId, new_uuid
from hub.kernel.pages import Page, PageQuery, decode_cursor, page
from hub.kernel.ports import Access


class RoomDirectory:
    """The use cases under /rooms."""

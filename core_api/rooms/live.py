"""Rooms as connections live in them: entering, leaving, speaking, being put out."""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from datetime import timedelta
from typing import Any

import msgspec

from core_api.outbox import Payload, Sink
from core_api.rooms.model import MAX_BODY_BYTES, room_name
from core_api.rooms.posting import PostingRights
from core_api.rooms.schema import Attendance, RoomMessage, Send, Sent
from core_api.rooms.store import MEMBER_REMOVED, NewMessage, Posted, RoomStore
from core_api.storable import encode_json
from hub.kernel.clock import Clock
from hub.kernel.errors import Forbidden, HubError, NotFound
from hub.kernel.events import Caller
from hub.kernel.ids import RoomName, UserId, new_uuid, user_room
from hub.kernel.ports import Access, Roles, Rooms

SETTLED = timedelta(seconds=1)
"""After this nobody sends a message that they have stored without looking whether somebody else has (after half)."""
KNOWN = timedelta(minutes=4)
"""For so long it is known whether a message was sent to its room."""


class LiveRooms:
    """The use cases of the events room:*. Who comes and goes is told by hub.kernel.ports.Attendance."""

    def __init__(
        self,
        store: RoomStore,
        rooms: Rooms,
        access: Access,
        roles: Roles,
        rights: PostingRights,
        clock: Clock,
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._access = access
        self._roles = roles
        self._clock = clock
        self._rights = rights

    async def enter(self, caller: Caller, room_id: str) -> Attendance:
        """Let a connection in. Idempotent. Raises NotFound if the person may not know of the room."""
        await self._access.check(caller, "read", "room", room_id)
        count = await self._rooms.join(caller.connection_id, room_name(room_id))
        try:
            # Once more: whoever was taken out since the first check was put out before they had come in.
            await self._access.check(caller, "read", "room", room_id)
        except HubError:
            await self._rooms.leave(caller.connection_id, room_name(room_id))
            raise
        return Attendance(room_id=room_id, member_count=count)

    async def restore(self, caller: Caller, room_ids: Mapping[str, bytes]) -> None:
        """The caller's connection came back, and is in these rooms. Raises NotFound if it may not be in one of them."""
        for room_id in room_ids:
            await self._access.check(caller, "read", "room", room_id)

    async def leave(self, caller: Caller, room_id: str) -> Attendance:
        """Take a connection out. Idempotent. Raises NotFound for a room that the person may not know of."""
        if not self._rooms.is_member(caller.connection_id, room_name(room_id)):
            await self._access.check(caller, "read", "room", room_id)  # the count is not for everybody
        count = await self._rooms.leave(caller.connection_id, room_name(room_id))
        return Attendance(room_id=room_id, member_count=count)

    def send(self, caller: Caller, message: Send) -> Sent | Coroutine[Any, Any, Sent | None] | None:
        """Store a message, then send it to everybody in the room but this connection.

        A repeat of a client id gives the first answer; its message is sent as it was stored, if it was not. A volatile
        message is only sent, at once if it is known that its sender may post. Raises NotFound, Forbidden (not joined,
        or may not post), InvalidPayload, PayloadTooLarge.

        Messages of senders on several nodes may arrive in another order than their ``seq``; and if the node dies
        between commit and sending, and the sender does not repeat the message, a ``seq`` is missing. In both cases
        ``seq`` shows it.
        """
        if message.volatile and self._rights.are_known(caller, message.room_id):
            self._rooms.emit_volatile(*self._said(caller, message), skip=caller.connection_id)
            return None
        return self._send(caller, message)

    async def _send(self, caller: Caller, message: Send) -> Sent | None:
        began_s = time.monotonic()
        await self._rights.check(caller, message.room_id)
        room, event = self._said(caller, message)
        if message.volatile:
            self._rooms.emit_volatile(room, event, skip=caller.connection_id)
            return None
        body = bytes(event.body).decode()
        new = NewMessage(new_uuid(), message.room_id, caller.user_id, message.client_id, body, event.sent_at)
        posted = await self._store.post(new)
        if posted is None:
            raise NotFound
        if not posted.repeated or await self._may_be_unsent(posted):
            event.message_id, event.seq = posted.id, posted.seq
            event.body, event.sent_at = msgspec.Raw(posted.body.encode()), posted.sent_at
            stored_s = (self._clock.now() - posted.sent_at).total_seconds() if posted.repeated else 0.0
            age_s = max(stored_s, time.monotonic() - began_s)
            # To the sender's other devices too; the sending connection has the acknowledgement.
            await self._rooms.emit(room, event, skip=caller.connection_id, id=posted.id, age_s=age_s)
        return Sent(message_id=posted.id, seq=posted.seq)

    async def _may_be_unsent(self, posted: Posted) -> bool:
        """Whether to look if a message that is repeated was sent to its room: its node may have died in between.

        Waits until that node, if it lives, has sent it or would look itself.
        """
        age = self._clock.now() - posted.sent_at
        await asyncio.sleep((SETTLED - age).total_seconds())
        return age < KNOWN

    def _said(self, caller: Caller, message: Send) -> tuple[RoomName, RoomMessage]:
        """The message as the others see it, and where. Raises Forbidden, InvalidPayload, PayloadTooLarge."""
        room = room_name(message.room_id)
        if not self._rooms.is_member(caller.connection_id, room):
            raise Forbidden("Join the room before you send to it.")
        body = msgspec.Raw(encode_json(message.body, max_bytes=MAX_BODY_BYTES, pointer="/body"))
        event = RoomMessage(room_id=message.room_id, sender=caller.user_id, body=body, sent_at=self._clock.now())
        return room, event

    async def expel(self, room_id: str, user_id: UserId) -> None:
        """Put every connection of a person out of a room, on all nodes. Idempotent."""
        self._rights.forget(user_id, room_id)
        await self._rooms.evict(room_name(room_id), of=user_room(user_id))

    def sinks(self) -> dict[str, Sink]:
        """What to do with the events of the outbox."""
        return {MEMBER_REMOVED: self._member_removed}

    async def _member_removed(self, payload: Payload) -> None:
        """Expel for certain: whoever removed the member did it at once, unless their node died or Redis was away."""
        room_id, user_id = payload["roomId"], payload["userId"]
        # Somebody who was added again in the meantime, or may be in a public room as anybody may, stays.
        if await self._roles.role(user_id, room_id) is None:
            await self.expel(room_id, user_id)

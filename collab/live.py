"""Documents over Socket.IO, ``collab:*``: an adapter of collab.editing."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from collab.awareness import TooMuch
from collab.editing import Editing, Opened
from collab.errors import InvalidUpdate
from collab.hot import Shown
from collab.schema import AccessChanged, AwarenessUpdated, ChangedDocument, DocumentUpdated, JoinedDocument
from collab.service import document_room
from collab.state_vector import EMPTY
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId, UserId, user_room
from hub.kernel.ports import Rooms
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

MAX_NOTE = 4096
"""Bytes of a state vector that are kept for a client that comes back: of some 500 writers. Of a document with more it
is sent all of it then."""

Event = DocumentUpdated | AwarenessUpdated


class RoomAudience:
    """Implements collab.participants.Audience: those in the document's room on this node, in the order of commits."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._queue: deque[tuple[Event, str | None]] = deque()
        self._wake = asyncio.Event()

    def deliver(self, document_id: str, changes: Sequence[Shown]) -> None:
        """See collab.hot.Subscriber."""
        for update, sender in changes:
            self._show(DocumentUpdated(document_id=document_id, update=update), sender)

    def show_awareness(self, document_id: str, update: bytes, speaker: str | None) -> None:
        """See collab.participants.Audience."""
        self._show(AwarenessUpdated(document_id=document_id, update=update), speaker)

    def _show(self, event: Event, skip: str | None) -> None:
        self._queue.append((event, skip))
        self._wake.set()

    async def run(self) -> None:
        """Hand over to the rooms, for ever. Commits never wait for it."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                event, skipped = self._queue.popleft()
                room = document_room(event.document_id)
                skip = None if skipped is None else ConnectionId(skipped)
                volatile = isinstance(event, AwarenessUpdated)
                try:
                    await self._rooms.emit_local(room, event, skip=skip, volatile=volatile)
                except Exception:  # one bad delivery must not silence all documents
                    log.exception("%s of document %s could not be shown", event.event, event.document_id)


@dataclass(frozen=True, slots=True)
class RoomMember:
    """Implements collab.participants.Editor: a connection in the document's room, whom other nodes may put out."""

    rooms: Rooms
    connection_id: ConnectionId
    document_id: str

    @property
    def is_here(self) -> bool:
        """See collab.participants.Editor."""
        return self.rooms.is_member(self.connection_id, document_room(self.document_id))

    async def access_changed(self, may_write: bool) -> None:
        """See collab.participants.Editor."""
        await self._tell("write" if may_write else "read")

    async def put_out(self) -> None:
        """See collab.participants.Editor."""
        await self.rooms.leave(self.connection_id, document_room(self.document_id))
        await self._tell("none")

    async def _tell(self, access: Literal["write", "read", "none"]) -> None:
        await self.rooms.send(self.connection_id, AccessChanged(document_id=self.document_id, access=access))


class LiveDocuments:
    """Serves ``collab:*``. A connection is the editor, with its own id, of each document that it has open."""

    def __init__(self, editing: Editing, rooms: Rooms) -> None:
        self._editing = editing
        self._rooms = rooms
        self._audience = RoomAudience(rooms)
        self._tasks = Tasks()

    def start(self) -> None:
        """Begin to show changes."""
        self._tasks.start(self._audience.run(), name="collab audience")

    async def close(self) -> None:
        """Stop."""
        await self._tasks.close()

    async def join(self, caller: Caller, document_id: str, vector: bytes | None) -> JoinedDocument:
        """Open a document. Idempotent. Raises NotFound, InvalidUpdate, TooManyDocuments and Unavailable."""
        opened = await self._open(caller, document_id, vector or EMPTY)
        if len(opened.vector) <= MAX_NOTE:
            await self._rooms.note(caller.connection_id, document_room(document_id), opened.vector)
        return JoinedDocument(
            document_id=document_id,
            access="write" if opened.may_write else "read",
            update=opened.update,
            state_vector=opened.vector,
        )

    async def restore(self, caller: Caller, documents: Mapping[str, bytes]) -> None:
        """The caller's connection came back, and has these documents open, each with what it had when it opened it.

        It is sent all that has changed since then. Some of that it has, which does no harm: nobody knows how much, and
        so the notes stay as they are. Raises NotFound and Unavailable.
        """
        for document_id, vector in documents.items():
            opened = await self._open(caller, document_id, vector or EMPTY)
            event = DocumentUpdated(document_id=document_id, update=opened.update)
            await self._rooms.send(caller.connection_id, event)

    async def _open(self, caller: Caller, document_id: str, vector: bytes) -> Opened:
        """Come into the room, then open the document, which checks the rights once more. Cursors are sent."""
        await self._editing.check_read(caller, document_id)
        connection_id, room = caller.connection_id, document_room(document_id)
        await self._rooms.join(connection_id, room)
        try:
            opened = await self._editing.open(
                document_id,
                vector,
                id=connection_id,
                connection=connection_id,
                actor=caller,
                audience=self._audience,
                editor=RoomMember(self._rooms, connection_id, document_id),
            )
        except BaseException:
            await self._rooms.leave(connection_id, room)
            raise
        if opened.present is not None:
            await self._rooms.send(connection_id, AwarenessUpdated(document_id=document_id, update=opened.present))
        return opened

    async def change(self, caller: Caller, document_id: str, update: bytes) -> ChangedDocument:
        """Store a change, then show it to the others. Raises as Editing.change."""
        return ChangedDocument(seq=await self._editing.change(document_id, caller.connection_id, update))

    async def announce(self, caller: Caller, document_id: str, update: bytes) -> None:
        """Relay cursors to the others, on all nodes. Raises NotJoined and InvalidUpdate."""
        try:
            self._editing.announce(document_id, caller.connection_id, update)
        except TooMuch as error:
            raise InvalidUpdate(f"The awareness update is too large: {error}.") from error

    async def leave(self, caller: Caller, document_id: str) -> None:
        """Close a document. Idempotent."""
        self._editing.leave(document_id, caller.connection_id)
        await self._rooms.leave(caller.connection_id, document_room(document_id))

    async def disconnected(self, caller: Caller) -> None:
        """Close everything that the connection had open. Idempotent."""
        self._editing.disconnected(caller.connection_id)

    async def expel(self, document_id: str, user_id: UserId) -> None:
        """Put every connection of a person out of a document, on all nodes. Idempotent."""
        await self._rooms.evict(document_room(document_id), of=user_room(user_id))
        await self._editing.expel(document_id, user_id)

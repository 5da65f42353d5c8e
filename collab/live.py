"""Documents as they are edited: who has which one open, with which right, and what is shown to whom."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from collab import awareness
from collab.awareness import Awareness
from collab.decoding import BadUpdate
from collab.engine import NO_ROW, Engine
from collab.errors import InvalidUpdate, NotJoined, UpdateGap
from collab.history.recorder import Contributions
from collab.hot import Gap, Joined
from collab.schema import AwarenessUpdated, ChangedDocument, DocumentUpdated, JoinedDocument
from collab.service import document_room
from collab.settings import CollabSettings
from collab.state_vector import EMPTY
from collab.store import DocumentStore
from hub.kernel.errors import Forbidden
from hub.kernel.events import Actor, Caller
from hub.kernel.ids import ConnectionId, UserId, user_room
from hub.kernel.ports import Access, Rooms
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

MAX_NOTE = 4096
"""Bytes of a state vector that are kept for a client that comes back: of some 500 writers. Of a document with more it
is sent all of it then."""


@dataclass(slots=True)
class Participant:
    """A connection of this node that has a document open."""

    actor: Actor
    may_write: bool
    checked_at: float
    """When the right to write was checked, by the monotonic clock, in seconds."""


class RoomAudience:
    """Implements collab.hot.Subscriber: the members of the document's room on this node, in the order of commits."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._queue: deque[tuple[str, bytes, str | None]] = deque()
        self._wake = asyncio.Event()

    def deliver(self, document_id: str, update: bytes, sender: str | None) -> None:
        """See collab.hot.Subscriber."""
        self._queue.append((document_id, update, sender))
        self._wake.set()

    async def run(self) -> None:
        """Hand over to the rooms, for ever. Commits never wait for it."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                document_id, update, sender = self._queue.popleft()
                event = DocumentUpdated(document_id=document_id, update=update)
                skip = None if sender is None else ConnectionId(sender)
                try:
                    await self._rooms.emit_local(document_room(document_id), event, skip=skip)
                except Exception:  # one bad delivery must not silence all documents
                    log.exception("a change of document %s could not be shown", document_id)


class LiveDocuments:
    """Serves ``collab:*``. The right to write is checked at a change if it was last checked over a second ago."""

    def __init__(
        self,
        engine: Engine,
        store: DocumentStore,
        access: Access,
        rooms: Rooms,
        settings: CollabSettings,
        contributions: Contributions,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._store = store
        self._access = access
        self._rooms = rooms
        self._settings = settings
        self._contributions = contributions
        self._monotonic = monotonic
        self._audience = RoomAudience(rooms)
        self._participants: dict[str, dict[ConnectionId, Participant]] = {}
        self._open: dict[ConnectionId, set[str]] = {}
        """The documents of each connection."""
        self._awareness: dict[str, Awareness] = {}
        self._tasks = Tasks()

    def start(self) -> None:
        """Begin to show changes and to put out those who lost their right. The engine is started by its owner."""
        self._tasks.start(self._audience.run(), name="collab audience")
        self._tasks.start(self._review_for_ever(), name="collab review")

    async def close(self) -> None:
        """Stop."""
        await self._tasks.close()

    async def join(self, caller: Caller, document_id: str, vector: bytes | None) -> JoinedDocument:
        """Open a document. Idempotent. Raises NotFound, InvalidUpdate and Unavailable."""
        joined, may_write = await self._enter(caller, document_id, vector or EMPTY)
        if len(joined.vector) <= MAX_NOTE:
            await self._rooms.note(caller.connection_id, document_room(document_id), joined.vector)
        return JoinedDocument(
            document_id=document_id,
            access="write" if may_write else "read",
            update=joined.update,
            state_vector=joined.vector,
        )

    async def restore(self, caller: Caller, documents: Mapping[str, bytes]) -> None:
        """The caller's connection came back, and has these documents open, each with what it had when it opened it.

        It is sent all that has changed since then. Some of that it has, which does no harm: nobody knows how much, and
        so the notes stay as they are. Raises NotFound and Unavailable.
        """
        for document_id, vector in documents.items():
            joined, _ = await self._enter(caller, document_id, vector or EMPTY)
            event = DocumentUpdated(document_id=document_id, update=joined.update)
            await self._rooms.send(caller.connection_id, event)

    async def _enter(self, caller: Caller, document_id: str, vector: bytes) -> tuple[Joined, bool]:
        """What the caller lacks, and whether it may write. Cursors are sent to it."""
        may_write = await self._may_write(caller, document_id)
        room = document_room(document_id)
        await self._rooms.join(caller.connection_id, room)
        participants = self._participants.setdefault(document_id, {})
        participants[caller.connection_id] = Participant(caller, may_write, self._monotonic())
        self._open.setdefault(caller.connection_id, set()).add(document_id)
        try:
            # Once more: whoever lost their role since the first check was put out before they had come in.
            may_write = participants[caller.connection_id].may_write = await self._may_write(caller, document_id)
            joined = await self._engine.join(document_id, self._audience, vector)
        except BaseException as error:
            await self._part(caller.connection_id, document_id)
            if isinstance(error, BadUpdate):
                raise InvalidUpdate(f"The state vector is invalid: {error}.") from error
            raise
        present = self._awareness.setdefault(document_id, Awareness()).present()
        if present is not None:
            await self._rooms.send(caller.connection_id, AwarenessUpdated(document_id=document_id, update=present))
        return joined, may_write

    async def change(self, caller: Caller, document_id: str, update: bytes) -> ChangedDocument:
        """Store a change, then show it to the others. A repeat is harmless.

        Raises NotJoined, Forbidden, InvalidUpdate, UpdateGap, PayloadTooLarge, Overloaded and Unavailable.
        """
        participant = await self._joined(caller, document_id)
        now = self._monotonic()
        if now - participant.checked_at >= self._settings.access_s:
            participant.may_write = await self._may_write(caller, document_id)
            participant.checked_at = now
        if not participant.may_write:
            raise Forbidden("You may read this document, not change it.")
        try:
            seq = await self._engine.submit(document_id, update, sender=caller.connection_id)
        except BadUpdate as error:
            raise InvalidUpdate(f"The update is invalid: {error}.") from error
        except Gap as gap:
            raise UpdateGap(stateVector=gap.vector) from gap
        if seq != NO_ROW:
            self._contributions.note(document_id, caller.user_id, len(update))
        return ChangedDocument(seq=seq)

    async def announce(self, caller: Caller, document_id: str, update: bytes) -> None:
        """Relay cursors to the others, on all nodes. Raises NotJoined and InvalidUpdate."""
        await self._joined(caller, document_id)
        try:
            states = awareness.decode(update)
            self._awareness.setdefault(document_id, Awareness()).take(caller.connection_id, states)
        except BadUpdate as error:
            raise InvalidUpdate(f"The awareness update is invalid: {error}.") from error
        event = AwarenessUpdated(document_id=document_id, update=update)
        self._rooms.emit_volatile(document_room(document_id), event, skip=caller.connection_id)

    async def leave(self, caller: Caller, document_id: str) -> None:
        """Close a document. Idempotent."""
        await self._part(caller.connection_id, document_id)

    async def disconnected(self, caller: Caller) -> None:
        """Close everything that the connection had open. Idempotent."""
        for document_id in list(self._open.get(caller.connection_id, ())):
            await self._part(caller.connection_id, document_id)

    async def expel(self, document_id: str, user_id: UserId) -> None:
        """Put every connection of a person out of a document, on all nodes. Idempotent."""
        await self._rooms.evict(document_room(document_id), of=user_room(user_id))
        for connection_id, participant in list(self._participants.get(document_id, {}).items()):
            if participant.actor.user_id == user_id:  # with their cursors; on other nodes the review does so
                await self._part(connection_id, document_id)

    async def review(self) -> None:
        """Put out those who have lost their role, even if no node could tell this one; forget those who are gone."""
        pairs = {
            (document_id, participant.actor.user_id)
            for document_id, here in self._participants.items()
            for participant in here.values()
        }
        roles = await self._store.roles(pairs) if pairs else {}
        for document_id, here in list(self._participants.items()):
            room = document_room(document_id)
            for connection_id, participant in list(here.items()):
                pair = (document_id, participant.actor.user_id)
                if not self._rooms.is_member(connection_id, room) or (pair in pairs and pair not in roles):
                    await self._part(connection_id, document_id)

    async def _review_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.access_s)
            try:
                await self.review()
            except Exception as error:  # the database is away: whoever has a document open keeps it until it is back
                log.warning("rights on open documents not reviewed: %r", error)

    async def _joined(self, caller: Caller, document_id: str) -> Participant:
        participant = self._participants.get(document_id, {}).get(caller.connection_id)
        if participant is None or not self._rooms.is_member(caller.connection_id, document_room(document_id)):
            await self._part(caller.connection_id, document_id)
            raise NotJoined
        return participant

    async def _may_write(self, actor: Actor, document_id: str) -> bool:
        try:
            await self._access.check(actor, "write", "document", document_id)
        except Forbidden:
            return False
        return True

    async def _part(self, connection_id: ConnectionId, document_id: str) -> None:
        """Take a connection out, with its cursors."""
        here = self._participants.get(document_id, {})
        if here.pop(connection_id, None) is None:
            return
        opened = self._open[connection_id]
        opened.discard(document_id)
        if not opened:
            del self._open[connection_id]
        room = document_room(document_id)
        seen = self._awareness.get(document_id)
        removal = None if seen is None else seen.remove(connection_id)
        if not here:
            self._participants.pop(document_id, None)
            self._awareness.pop(document_id, None)
            self._engine.leave(document_id, self._audience)
        await self._rooms.leave(connection_id, room)
        if removal is not None:
            await self._rooms.emit(room, AwarenessUpdated(document_id=document_id, update=removal))

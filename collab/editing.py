"""Documents as they are edited: who has which one open, with which right, and what is shown to whom.

One service for every protocol. A protocol brings an :class:`Audience`, which shows changes to all its clients, and an
:class:`Editor` for each client that has a document open.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from collab.awareness import TooMuch
from collab.awareness_exchange import AwarenessExchange
from collab.decoding import BadUpdate
from collab.engine import NO_ROW, Engine
from collab.errors import InvalidUpdate, NotJoined, TooManyDocuments, UpdateGap
from collab.hot import Gap, Joined, Subscriber
from collab.ports import EndedSessions, RolesOfMany
from collab.settings import CollabSettings
from collab.state_vector import EMPTY
from collab.update import parse
from hub.kernel.errors import Forbidden, NotFound
from hub.kernel.events import Actor
from hub.kernel.ids import UserId
from hub.kernel.ports import Access
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

NOTHING = Joined(b"", EMPTY)
"""For who is not brought up to date."""
REVIEWS = 2
"""In the time that a right may outlive its role, so that the database has the other half of it to answer in."""


class Audience(Subscriber, Protocol):
    """The clients of one protocol on this node, as far as they have documents open."""

    def show_awareness(self, document_id: str, update: bytes, speaker: str | None) -> None:
        """Send an awareness update to those who have the document open; it came from the editor ``speaker``.

        It is dropped for those who do not keep up. Must neither block nor raise.
        """
        ...


class Editor(Protocol):
    """A client that has a document open."""

    @property
    def is_here(self) -> bool:
        """Whether it still has the document open, as far as its protocol knows."""
        ...

    async def access_changed(self, may_write: bool) -> None:
        """It may write from now on, or only read. Must not raise."""
        ...

    async def put_out(self) -> None:
        """It may not even read any more, and has been taken out. Must not raise."""
        ...


@dataclass(eq=False, slots=True)
class Participant:
    """An editor with its rights."""

    id: str
    connection: str
    actor: Actor
    audience: Audience
    editor: Editor
    may_ever_write: bool
    """Whether what it came in with lets it write at all, whatever its role is."""
    follows_session: bool
    """Whether it has to be put out when its session ends: connections of Socket.IO are closed by others."""
    may_write: bool = False
    checked_at: float = 0.0
    """When the right to write was checked, by the monotonic clock, in seconds."""
    role: str | None = None
    """The role that the right to write is known to fit; ``None``: the next review looks."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a client that opens a document is told."""

    may_write: bool
    update: bytes
    """What brings it up to date."""
    vector: bytes
    """How far the document has come."""
    present: bytes | None
    """The awareness update with everybody, if there is anybody."""


class Editing:
    """The open documents of this node. Rights are looked at twice in ``access_s``, and at each change once they are
    that old.

    Editors have ids of their own, unique on the node; a connection may have several. ``contributed`` is told of each
    change that was stored: of which document, by whom, and how many bytes.
    """

    def __init__(
        self,
        engine: Engine,
        roles: RolesOfMany,
        access: Access,
        awareness: AwarenessExchange,
        settings: CollabSettings,
        *,
        sessions: EndedSessions | None = None,
        contributed: Callable[[str, UserId, int], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._roles = roles
        self._access = access
        self._awareness = awareness
        self._settings = settings
        self._sessions = sessions
        self._contributed = contributed
        self._monotonic = monotonic
        self._participants: dict[str, dict[str, Participant]] = {}
        """Document → editor id → participant."""
        self._open: dict[str, set[tuple[str, str]]] = {}
        """Connection → the documents that it has open, each with the editor's id."""
        self._tasks = Tasks()
        awareness.show = self._show_awareness

    def start(self) -> None:
        """Begin to put out those who lost their right. The engine is started by its owner."""
        self._awareness.start()
        self._tasks.start(self._review_for_ever(), name="review of open documents")

    async def close(self) -> None:
        """Stop."""
        await self._awareness.close()
        await self._tasks.close()

    async def check_read(self, actor: Actor, document_id: str) -> None:
        """Return if the document may be opened. Raises NotFound."""
        await self._access.check(actor, "read", "document", document_id)

    async def open(
        self,
        document_id: str,
        vector: bytes | None,
        *,
        id: str,
        connection: str,
        actor: Actor,
        audience: Audience,
        editor: Editor,
        may_ever_write: bool = True,
        follows_session: bool = False,
    ) -> Opened:
        """Open a document. Idempotent. With no ``vector`` the client is not brought up to date.

        From now on ``audience`` is shown its changes; some of them may come before this returns, and be contained in
        what it returns. Raises NotFound, InvalidUpdate, TooManyDocuments and Unavailable.
        """
        self._check_room(connection, document_id, id)
        participant = Participant(id, connection, actor, audience, editor, may_ever_write, follows_session)
        self._participants.setdefault(document_id, {})[id] = participant
        self._open.setdefault(connection, set()).add((document_id, id))
        try:
            # With the participant in place: whoever loses their role during the check is found by the next review.
            participant.may_write = await self._may_write(participant, document_id)
            participant.checked_at = self._monotonic()
            joined = NOTHING if vector is None else await self._engine.join(document_id, audience, vector)
            if vector is None:
                await self._engine.follow(document_id, audience)
        except BaseException as error:
            self.leave(document_id, id)
            if isinstance(error, BadUpdate):
                raise InvalidUpdate(f"The state vector is invalid: {error}.") from error
            raise
        if self._participants.get(document_id, {}).get(id) is not participant:  # put out, or gone, meanwhile
            self._unsubscribe_alone(document_id, audience)
            raise NotJoined
        self._awareness.open(document_id)
        return Opened(participant.may_write, joined.update, joined.vector, self._awareness.present(document_id))

    def _check_room(self, connection: str, document_id: str, id: str) -> None:
        opened = self._open.get(connection, set())
        if (document_id, id) not in opened and len(opened) >= self._settings.documents_per_connection:
            raise TooManyDocuments(f"A connection may have {self._settings.documents_per_connection} documents open.")

    async def catch_up(self, document_id: str, id: str, vector: bytes) -> Joined:
        """What an editor at ``vector`` lacks. Raises NotJoined, InvalidUpdate and Unavailable."""
        participant = self._joined(document_id, id)
        try:
            return await self._engine.join(document_id, participant.audience, vector)
        except BadUpdate as error:
            raise InvalidUpdate(f"The state vector is invalid: {error}.") from error

    def shown(self, document_id: str) -> bytes | None:
        """The state vector of what all audiences have been shown; ``None`` while a change is on its way to them."""
        return self._engine.shown(document_id)

    async def may_write(self, document_id: str, id: str) -> bool:
        """Whether an editor may write, looked at anew if that was over ``access_s`` ago. Raises NotJoined, NotFound."""
        participant = self._joined(document_id, id)
        if self._monotonic() - participant.checked_at >= self._settings.access_s:
            await self._check_again(participant, document_id)
        return participant.may_write

    async def change(self, document_id: str, id: str, update: bytes, *, is_answer: bool = False) -> str:
        """Store a change, then show it to the others; gives its place in the log. A repeat is harmless.

        ``is_answer``: the client was asked for what the hub lacks. Then it says again what was ever deleted, which is
        not stored once more.

        Raises NotJoined, Forbidden, InvalidUpdate, UpdateGap, PayloadTooLarge, Overloaded and Unavailable.
        """
        if not await self.may_write(document_id, id):
            raise Forbidden("You may read this document, not change it.")
        actor = self._joined(document_id, id).actor
        try:
            if is_answer:
                parse(update)
                if await self._engine.has(document_id, update):
                    return NO_ROW
            seq = await self._engine.submit(document_id, update, sender=id)
        except BadUpdate as error:
            raise InvalidUpdate(f"The update is invalid: {error}.") from error
        except Gap as gap:
            raise UpdateGap(stateVector=gap.vector) from gap
        if self._contributed is not None and seq != NO_ROW:
            self._contributed(document_id, actor.user_id, len(update))
        return seq

    def announce(self, document_id: str, id: str, update: bytes) -> None:
        """Relay cursors to the others, on all nodes. Raises NotJoined, InvalidUpdate, and TooMuch of a valid one."""
        self._joined(document_id, id)
        try:
            self._awareness.take(document_id, id, update)
        except TooMuch:
            raise
        except BadUpdate as error:
            raise InvalidUpdate(f"The awareness update is invalid: {error}.") from error

    def present(self, document_id: str) -> bytes | None:
        """The awareness update with everybody, if there is anybody."""
        return self._awareness.present(document_id)

    def leave(self, document_id: str, id: str) -> None:
        """Close a document for an editor, with its cursors. Idempotent."""
        here = self._participants.get(document_id, {})
        participant = here.pop(id, None)
        if participant is None:
            return
        opened = self._open[participant.connection]
        opened.discard((document_id, id))
        if not opened:
            del self._open[participant.connection]
        self._awareness.remove(document_id, id)
        self._unsubscribe_alone(document_id, participant.audience)
        if not here:
            self._participants.pop(document_id, None)
            self._awareness.close_document(document_id)

    def _unsubscribe_alone(self, document_id: str, audience: Audience) -> None:
        """Have nothing more shown to an audience of nobody."""
        here = self._participants.get(document_id, {})
        if all(participant.audience is not audience for participant in here.values()):
            self._engine.leave(document_id, audience)

    def disconnected(self, connection: str) -> None:
        """Close everything that the connection had open. Idempotent."""
        for document_id, id in list(self._open.get(connection, ())):
            self.leave(document_id, id)

    async def expel(self, document_id: str, user_id: UserId) -> None:
        """Put a person out of a document on this node; the review does so on the others. Idempotent."""
        for participant in list(self._participants.get(document_id, {}).values()):
            if participant.actor.user_id == user_id:
                await self._put_out(participant, document_id)

    async def review(self) -> None:
        """Put out those who have lost their role, tell those whose role is another; forget those who are gone.

        It needs no news from other nodes. Raises what the database and Redis raise.
        """
        await self._review_roles()
        await self._review_sessions()

    async def _review_roles(self) -> None:
        pairs = {
            (document_id, participant.actor.user_id)
            for document_id, here in self._participants.items()
            for participant in here.values()
        }
        roles = await self._roles.roles_among(pairs)
        for document_id, participant in self._everybody():
            pair = (document_id, participant.actor.user_id)
            if not participant.editor.is_here:
                self.leave(document_id, participant.id)
            elif pair in pairs and pair not in roles:
                await self._put_out(participant, document_id)
            elif pair in pairs and roles[pair] != participant.role:
                await self._follow_role(participant, document_id, roles[pair])

    def _everybody(self) -> Iterable[tuple[str, Participant]]:
        return [(document_id, one) for document_id, here in self._participants.items() for one in here.values()]

    async def _review_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.access_s / REVIEWS)
            try:
                await self.review()
            except Exception as error:  # the database is away: whoever has a document open keeps it until it is back
                log.warning("rights on open documents not reviewed: %r", error)

    async def _review_sessions(self) -> None:
        following = [(document_id, one) for document_id, one in self._everybody() if one.follows_session]
        if self._sessions is None or not following:
            return
        ended = await self._sessions.ended_among({one.actor.session_id for _, one in following})
        for document_id, participant in following:
            if participant.actor.session_id in ended:
                await self._put_out(participant, document_id)

    async def _follow_role(self, participant: Participant, document_id: str, role: str) -> None:
        before, participant.role = participant.may_write, None
        try:
            await self._check_again(participant, document_id)
        except NotFound:
            await self._put_out(participant, document_id)
        else:
            if participant.may_write == before:  # otherwise the next review looks again: `role` may be an older one
                participant.role = role

    async def _put_out(self, participant: Participant, document_id: str) -> None:
        self.leave(document_id, participant.id)
        await participant.editor.put_out()

    async def _check_again(self, participant: Participant, document_id: str) -> None:
        """Raises NotFound, if the role was taken this moment."""
        before = participant.may_write
        participant.may_write = await self._may_write(participant, document_id)
        participant.checked_at = self._monotonic()
        if participant.may_write != before:
            participant.role = None
            await participant.editor.access_changed(participant.may_write)

    def _joined(self, document_id: str, id: str) -> Participant:
        participant = self._participants.get(document_id, {}).get(id)
        if participant is None or not participant.editor.is_here:  # whom the next review takes out
            raise NotJoined
        return participant

    async def _may_write(self, participant: Participant, document_id: str) -> bool:
        try:
            action = "write" if participant.may_ever_write else "read"
            await self._access.check(participant.actor, action, "document", document_id)
        except Forbidden:
            return False
        return participant.may_ever_write

    def _show_awareness(self, document_id: str, update: bytes, speaker: str | None) -> None:
        for audience in {one.audience for one in self._participants.get(document_id, {}).values()}:
            audience.show_awareness(document_id, update, speaker)

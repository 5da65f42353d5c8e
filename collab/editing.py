"""Documents as they are edited: who has which one open, with which right, and what is shown to whom.

One service for every protocol. A protocol brings an Audience, which shows changes to all its clients, and an Editor
for each client that has a document open: see collab.participants.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from collab.awareness import TooMuch
from collab.awareness_exchange import AwarenessExchange
from collab.commits import Submission
from collab.decoding import BadUpdate
from collab.engine import NO_ROW, Engine
from collab.errors import InvalidUpdate, NotJoined, TooManyDocuments, UpdateGap
from collab.hot import Gap, Joined
from collab.participants import Audience, Editor, Participant, Participants
from collab.ports import EndedSessions, RolesOfMany
from collab.rights import Rights
from collab.settings import CollabSettings
from collab.state_vector import EMPTY
from collab.update import parse
from hub.kernel.errors import Forbidden
from hub.kernel.events import Actor
from hub.kernel.ids import UserId
from hub.kernel.ports import Access
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

NOTHING = Joined(b"", EMPTY)
"""For who is not brought up to date."""


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

    Editors have ids of their own, unique on the node; a connection may have several. ``contributed`` is told of
    changes that were stored: of which document, by whom, how many bytes, and how many changes.
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
        contributed: Callable[[str, UserId, int, int], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._access = access
        self._awareness = awareness
        self._settings = settings
        self._contributed = contributed
        self._participants = Participants()
        self._rights = Rights(self._participants, roles, access, sessions, settings.access_s, self.leave, monotonic)
        self._tasks = Tasks()
        awareness.show = self._show_awareness

    def start(self) -> None:
        """Begin to put out those who lost their right. The engine is started by its owner."""
        self._awareness.start()
        self._tasks.start(self._rights.review_for_ever(), name="review of open documents")

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
        self._participants.add(document_id, participant)
        try:
            # With the participant in place: whoever loses their role during the check is found by the next review.
            await self._rights.check(participant, document_id)
            joined = NOTHING if vector is None else await self._engine.join(document_id, audience, vector)
            if vector is None:
                await self._engine.follow(document_id, audience)
        except BaseException as error:
            self.leave(document_id, id)
            if isinstance(error, BadUpdate):
                raise InvalidUpdate(f"The state vector is invalid: {error}.") from error
            raise
        if self._participants.find(document_id, id) is not participant:  # put out, or gone, meanwhile
            self._unsubscribe_alone(document_id, audience)
            raise NotJoined
        self._awareness.open(document_id)
        return Opened(participant.may_write, joined.update, joined.vector, self._awareness.present(document_id))

    def _check_room(self, connection: str, document_id: str, id: str) -> None:
        opened = self._participants.opened_by(connection)
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
        if not self._rights.is_fresh(participant):
            await self._rights.check_again(participant, document_id)
        return participant.may_write

    def take_at_once(self, document_id: str, id: str, updates: Sequence[bytes]) -> list[Submission]:
        """Take the first of these changes, as many as need no waiting; they are stored when they are settled.

        The rest is for :meth:`change`, which waits, or says what is wrong. Raises NotJoined, and InvalidUpdate if Yrs
        refuses one: then none is taken.
        """
        participant = self._joined(document_id, id)
        if not participant.may_write or not self._rights.is_fresh(participant):
            return []
        try:
            taken = self._engine.take_at_once(document_id, updates, sender=id)
        except BadUpdate as error:
            raise InvalidUpdate(f"The update is invalid: {error}.") from error
        if taken and self._contributed is not None:
            taken[-1].batch.then(partial(self._note, document_id, participant.actor.user_id, taken))
        return taken

    def _note(self, document_id: str, user_id: UserId, settled: Sequence[Submission]) -> None:
        stored = [len(submission.update) for submission in settled if submission.place is not None]
        if stored and self._contributed is not None:
            self._contributed(document_id, user_id, sum(stored), len(stored))

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
            self._contributed(document_id, actor.user_id, len(update), 1)
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
        participant = self._participants.remove(document_id, id)
        if participant is None:
            return
        self._awareness.remove(document_id, id)
        self._unsubscribe_alone(document_id, participant.audience)
        if not self._participants.of(document_id):
            self._awareness.close_document(document_id)

    def _unsubscribe_alone(self, document_id: str, audience: Audience) -> None:
        """Have nothing more shown to an audience of nobody."""
        if all(participant.audience is not audience for participant in self._participants.of(document_id)):
            self._engine.leave(document_id, audience)

    def disconnected(self, connection: str) -> None:
        """Close everything that the connection had open. Idempotent."""
        for document_id, id in self._participants.opened_by(connection):
            self.leave(document_id, id)

    async def expel(self, document_id: str, user_id: UserId) -> None:
        """Put a person out of a document on this node; the review does so on the others. Idempotent."""
        for participant in self._participants.of(document_id):
            if participant.actor.user_id == user_id:
                await self._rights.put_out(participant, document_id)

    async def review(self) -> None:
        """Put out those who have lost their role, tell those whose role is another; forget those who are gone.

        It needs no news from other nodes. Raises what the database and Redis raise.
        """
        await self._rights.review()

    def _joined(self, document_id: str, id: str) -> Participant:
        participant = self._participants.find(document_id, id)
        if participant is None or not participant.editor.is_here:  # whom the next review takes out
            raise NotJoined
        return participant

    def _show_awareness(self, document_id: str, update: bytes, speaker: str | None) -> None:
        for audience in {one.audience for one in self._participants.of(document_id)}:
            audience.show_awareness(document_id, update, speaker)

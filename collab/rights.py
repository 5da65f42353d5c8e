"""What those who have documents open may do with them, looked at again and again."""

import asyncio
import logging
from collections.abc import Callable

from collab.participants import Participant, Participants
from collab.ports import EndedSessions, RolesOfMany
from hub.kernel.errors import Forbidden, NotFound
from hub.kernel.ports import Access

log = logging.getLogger(__name__)

REVIEWS = 2
"""In the time that a right may outlive its role, so that the database has the other half of it to answer in."""


class Rights:
    """The rights of all participants. Looked at twice in ``access_s``, and at a change once they are that old."""

    def __init__(
        self,
        participants: Participants,
        roles: RolesOfMany,
        access: Access,
        sessions: EndedSessions | None,
        access_s: float,
        leave: Callable[[str, str], None],
        monotonic: Callable[[], float],
    ) -> None:
        """``leave`` closes a document for an editor, both by their ids."""
        self._participants = participants
        self._roles = roles
        self._access = access
        self._sessions = sessions
        self._access_s = access_s
        self._leave = leave
        self._monotonic = monotonic

    def is_fresh(self, participant: Participant) -> bool:
        """Whether its right was looked at lately."""
        return self._monotonic() - participant.checked_at < self._access_s

    async def check(self, participant: Participant, document_id: str) -> None:
        """Look at the right to write. Raises NotFound if it may not even read."""
        participant.may_write = await self._may_write(participant, document_id)
        participant.checked_at = self._monotonic()

    async def review(self) -> None:
        """See Editing.review."""
        await self._review_roles()
        await self._review_sessions()

    async def review_for_ever(self) -> None:
        """Review in the background."""
        while True:
            await asyncio.sleep(self._access_s / REVIEWS)
            try:
                await self.review()
            except Exception as error:  # the database is away: whoever has a document open keeps it until it is back
                log.warning("rights on open documents not reviewed: %r", error)

    async def _review_roles(self) -> None:
        asked_at = self._monotonic()
        pairs = {(document_id, participant.actor.user_id) for document_id, participant in self._participants}
        roles = await self._roles.roles_among(pairs)
        for document_id, participant in self._participants:
            pair = (document_id, participant.actor.user_id)
            if not participant.editor.is_here:
                self._leave(document_id, participant.id)
            elif pair in pairs and pair not in roles:
                await self.put_out(participant, document_id)
            elif pair in pairs and roles[pair] != participant.role:
                await self._follow_role(participant, document_id, roles[pair])
            elif pair in pairs:  # the right is still the one that fits this role: no change has to ask
                participant.checked_at = max(asked_at, participant.checked_at)

    async def _review_sessions(self) -> None:
        following = [(document_id, one) for document_id, one in self._participants if one.follows_session]
        if self._sessions is None or not following:
            return
        ended = await self._sessions.ended_among({one.actor.session_id for _, one in following})
        for document_id, participant in following:
            if participant.actor.session_id in ended:
                await self.put_out(participant, document_id)

    async def _follow_role(self, participant: Participant, document_id: str, role: str) -> None:
        before, participant.role = participant.may_write, None
        try:
            await self.check_again(participant, document_id)
        except NotFound:
            await self.put_out(participant, document_id)
        else:
            if participant.may_write == before:  # otherwise the next review looks again: `role` may be an older one
                participant.role = role

    async def put_out(self, participant: Participant, document_id: str) -> None:
        """Close a document for an editor that may not even read it any more, and tell it."""
        self._leave(document_id, participant.id)
        await participant.editor.put_out()

    async def check_again(self, participant: Participant, document_id: str) -> None:
        """Look once more, and tell the editor if it is another one now. Raises NotFound if it may not even read."""
        before = participant.may_write
        await self.check(participant, document_id)
        if participant.may_write != before:
            participant.role = None
            await participant.editor.access_changed(participant.may_write)

    async def _may_write(self, participant: Participant, document_id: str) -> bool:
        try:
            action = "write" if participant.may_ever_write else "read"
            await self._access.check(participant.actor, action, "document", document_id)
        except Forbidden:
            return False
        return participant.may_ever_write

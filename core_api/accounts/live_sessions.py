"""Whether a session is live, as the database has it: for what outlives the access tokens of the session."""

from typing import Protocol

from core_api.accounts.model import Session, Status
from hub.kernel.errors import Suspended, Unauthorized
from hub.kernel.events import Actor
from hub.kernel.ids import SessionId, UserId


class SessionStore(Protocol):
    """Sessions and the accounts that they are of."""

    async def session(self, session_id: SessionId) -> Session | None:
        """A session, live or ended."""
        ...

    async def status(self, user_id: UserId) -> Status | None:
        """``None`` if there is no such account."""
        ...


class LiveSessions:
    """Implements hub.kernel.ports.Sessions, with two queries each time."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    async def check(self, actor: Actor) -> None:
        """Return if the session is live. Raises Unauthorized, Suspended, and what the database raises."""
        status = await self._store.status(actor.user_id)
        if status == "suspended":
            raise Suspended
        session = await self._store.session(actor.session_id)
        if status is None or session is None or session.ended_at is not None or session.user_id != actor.user_id:
            raise Unauthorized("This session has ended. Sign in again.")

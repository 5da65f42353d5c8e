"""Who an access token speaks for, at this moment: sockets and REST both ask here."""

from typing import Protocol

from core_api.accounts.model import Status
from core_api.accounts.tokens import TokenVerifier, VerifiedToken
from hub.kernel.errors import Suspended, Unauthorized
from hub.kernel.events import Actor
from hub.kernel.ids import UserId
from hub.kernel.ports import Revocations


class Statuses(Protocol):
    """Whether accounts may be used."""

    async def status(self, user_id: UserId) -> Status | None:
        """``None`` if there is no such account."""
        ...


class AccessTokenAuthenticator:
    """Implements hub.kernel.ports.Authenticator and Sessions without a query to the database per request.

    A suspension ends the account's sessions, so the revocations say at once that something is wrong, and only then is
    the account asked what. If Redis or PostgreSQL does not answer, its error goes up as it is: an outage is no 401,
    which would make every client throw its tokens away.
    """

    def __init__(self, verifier: TokenVerifier, revocations: Revocations, statuses: Statuses) -> None:
        self._verifier = verifier
        self._revocations = revocations
        self._statuses = statuses

    async def authenticate(self, access_token: str) -> VerifiedToken:
        """Verify a token. Raises Unauthorized, TokenExpired, Suspended, or Unavailable."""
        token = self._verifier.verify(access_token)
        await self.check(token.actor)
        return token

    async def check(self, actor: Actor) -> None:
        """Return if the session is live. Raises Unauthorized, Suspended, or Unavailable."""
        if not await self._revocations.is_revoked(actor.session_id):
            return
        if await self._statuses.status(actor.user_id) == "suspended":
            raise Suspended
        raise Unauthorized("This session has ended. Sign in again.")

"""Who an editor with a document token is, at this moment."""

from collab.tokens import DocumentTokens, Pass
from hub.kernel.errors import NotFound
from hub.kernel.ports import Sessions


class Passes:
    """Takes document tokens. ``sessions`` looks at the session itself: a document token outlives access tokens."""

    def __init__(self, tokens: DocumentTokens, sessions: Sessions) -> None:
        self._tokens = tokens
        self._sessions = sessions

    def read(self, token: str, document_id: str) -> Pass:
        """The pass that it is for this document. Raises Unauthorized, TokenExpired and NotFound."""
        given = self._tokens.read(token)
        if given.document_id != document_id:
            raise NotFound
        return given

    async def check(self, given: Pass) -> None:
        """Return if its session goes on. Raises Unauthorized, Suspended and Unavailable."""
        await self._sessions.check(given.actor)

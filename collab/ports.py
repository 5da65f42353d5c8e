"""What documents need of others, besides the kernel's ports."""

from collections.abc import Collection
from typing import Any, Protocol

from hub.kernel.ids import SessionId


class People(Protocol):
    """The accounts, as far as documents ask for them."""

    async def exists(self, user_id: str) -> bool:
        """Whether there is an account to share with."""
        ...


class RolesOfMany(Protocol):
    """What people may do with documents, for all who have any open. Implemented in collab.service."""

    async def roles_among(self, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The roles of (document, user) pairs; those without any are missing. It takes two queries at most."""
        ...


class EndedSessions(Protocol):
    """The sessions that ended lately. Implemented in hub.gate."""

    async def ended_among(self, session_ids: Collection[SessionId]) -> frozenset[SessionId]:
        """Those that were ended within the life of an access token. Raises Unavailable."""
        ...


class AppendToOutbox(Protocol):
    """Adds an event in the transaction that is open on a connection, to be delivered if that commits. See core_api."""

    async def __call__(self, connection: Any, topic: str, payload: dict[str, Any], /) -> None:
        """``topic`` is ``domain.what_happened``; ``payload`` names the row rather than copying it."""
        ...

"""auth:refresh: a connection goes on with a newer access token of its session."""

from datetime import datetime
from typing import Annotated, Protocol

from msgspec import Meta

from hub.kernel.clock import from_ms
from hub.kernel.errors import Forbidden, Unavailable
from hub.kernel.events import Caller, EventRouter
from hub.kernel.ids import ConnectionId
from hub.kernel.ports import Authenticator
from hub.kernel.wire import Wire


class NewToken(Wire):
    """A newer access token of the connection's own session."""

    token: Annotated[str, Meta(max_length=4096)]


class Extended(Wire):
    """Until when the connection may go on."""

    expires_at: datetime


class Connections(Protocol):
    """The connections of this node. Implemented in hub.transport."""

    def extend(self, connection_id: ConnectionId, expires_at_ms: int) -> int | None:
        """Let a connection go on until then (Unix ms), if it may not go on for longer already.

        Returns until when; ``None`` if it is gone.
        """
        ...


class Reauthentication:
    """Lets connections go on."""

    def __init__(self, authenticator: Authenticator, connections: Connections) -> None:
        self._authenticator = authenticator
        self._connections = connections

    async def refresh(self, caller: Caller, payload: NewToken) -> Extended:
        """Take a newer token. Idempotent; an older token than the last one changes nothing.

        Raises Forbidden for the token of another session or person, and what the token itself deserves: Unauthorized,
        TokenExpired, Suspended, Unavailable. The connection then goes on as it was.
        """
        credentials = await self._authenticator.authenticate(payload.token)
        actor = credentials.actor
        if (actor.user_id, actor.session_id) != (caller.user_id, caller.session_id):
            raise Forbidden("This token is of another session. Connect anew to use it.")
        expires_at_ms = self._connections.extend(caller.connection_id, credentials.expires_at_ms)
        if expires_at_ms is None:
            raise Unavailable("This connection is closing. Try again on the next.")
        return Extended(expires_at=from_ms(expires_at_ms))


def reauthentication_events(reauthentication: Reauthentication) -> EventRouter:
    """The socket side: ``auth:refresh``."""
    router = EventRouter()
    router.on("auth:refresh", NewToken, reauthentication.refresh, automatic=True)
    return router

"""Why the hub closes an editor's WebSocket.

The clients of y-websocket stay away after 4400 to 4499 and come back after anything else; those of Hocuspocus, whose
names these are, always come back, with a new token.
"""

from typing import Final

from collab.errors import InvalidUpdate, NotJoined
from hub.kernel.errors import Forbidden, HubError, NotFound, PayloadTooLarge, Unavailable

BAD_MESSAGE: Final = 4400
"""What came is no message of the protocol. The same would happen again."""
UNAUTHORIZED: Final = 4401
"""No token, or one that is not valid any more. Get a new one."""
FORBIDDEN: Final = 4403
"""The document is not there for this user, or not any more."""
TIMEOUT: Final = 4408
"""The client did not say in time what it wants."""
TRY_AGAIN: Final = 4503
"""A part of the hub does not answer, or has too much to do. Reconnect."""
RESET: Final = 4205
"""What the client has cannot be joined with what the hub has. Reconnect."""
TOO_LARGE: Final = 4413
"""The document has as many bytes as it may."""


def of(error: HubError | None) -> int:
    """The code for a client whose document is closed since something went wrong; ``None``: by a bug of ours."""
    if isinstance(error, InvalidUpdate):
        return BAD_MESSAGE
    if isinstance(error, PayloadTooLarge):
        return TOO_LARGE
    if isinstance(error, NotFound | NotJoined | Forbidden):
        return FORBIDDEN
    if error is None or error.temporary or isinstance(error, Unavailable):
        return TRY_AGAIN
    return FORBIDDEN

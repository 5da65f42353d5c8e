"""What waits for the hub, of all documents of a socket: past a bound it is not read, so that TCP slows its client.

A change waits until it is stored.
"""

from typing import Final

from collab.native.sync import Change, SyncRequest
from hub.kernel.framed import FramedSocket

MAX_MESSAGES: Final = 256
"""Twenty thousand a second, for as long as a commit takes."""
MAX_BYTES: Final = 1 << 20
"""Also before anybody is let in."""


class Intake:
    """Shared by the documents of a socket. A frame that has been read is taken whole, so the bound is that and one."""

    def __init__(self, socket: FramedSocket) -> None:
        self._socket = socket
        self._messages = 0
        self._bytes = 0
        self._paused = False

    def add(self, message: SyncRequest | Change) -> None:
        """A message waits."""
        self._messages += 1
        self._bytes += _size(message)
        if not self._has_room() and not self._paused:
            self._paused = True
            self._socket.pause()

    def remove(self, message: SyncRequest | Change) -> None:
        """It waits no more."""
        self._messages -= 1
        self._bytes -= _size(message)
        if self._paused and self._has_room():
            self._paused = False
            self._socket.resume()

    def _has_room(self) -> bool:
        return self._messages < MAX_MESSAGES and self._bytes < MAX_BYTES


def _size(message: SyncRequest | Change) -> int:
    return len(message.update) if isinstance(message, Change) else len(message.vector)

"""The cursors and names that one client announces and is shown, in one document: its awareness."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from collab import awareness
from collab.decoding import BadUpdate, Reader

if TYPE_CHECKING:
    from collab.native.open_document import OpenDocument

EVENT: Final = "collab:awareness"
"""The name of the allowance that announcements and questions are taken from."""
MAX_ANNOUNCEMENTS: Final = 4
"""That are kept until the document is open. The first is of the client itself."""
STATES_AT_ONCE: Final = 20
"""That an announcement may have for the price of one: each takes 2 µs to read."""


class Cursors:
    """Of one client. Nothing is taken from it once its document is closed."""

    def __init__(self, document: OpenDocument) -> None:
        self._document = document
        self._announcements: list[bytes] = []
        self._was_asked = False

    def announce(self, update: bytes) -> None:
        """An awareness update. One that is too much, or comes too often, is dropped. Raises InvalidUpdate."""
        document = self._document
        if not document.is_here or len(update) > awareness.MAX_BYTES:
            return
        if document.wait(EVENT, count=_price(update)):
            return
        if document.is_open:
            self._announce(update)
        elif len(self._announcements) < MAX_ANNOUNCEMENTS:
            self._announcements.append(update)

    def opened(self) -> None:
        """The document is open. Raises InvalidUpdate for what was announced before."""
        announcements, self._announcements = self._announcements, []
        for update in announcements:
            self._announce(update)

    def closed(self) -> None:
        """It is closed."""
        self._announcements = []

    def _announce(self, update: bytes) -> None:
        with contextlib.suppress(awareness.TooMuch):
            self._document.editing.announce(self._document.document_id, self._document.id, update)

    def query(self) -> None:
        """The client asks who is there. It is told once, however often it asked in one turn of the loop."""
        if self._document.is_open and not self._was_asked and not self._document.wait(EVENT):
            self._was_asked = True
            asyncio.get_running_loop().call_soon(self._answer)

    def _answer(self) -> None:
        self._was_asked = False
        if self._document.is_here:
            self.show()

    def show(self) -> None:
        """Tell the client who is there."""
        document = self._document
        present = document.editing.present(document.document_id)
        if present is not None:
            document.socket.send(document.voice.awareness(present), volatile=True)


def _price(update: bytes) -> int:
    """What an announcement takes from the allowance. One that lies about its length is found out when it is read."""
    try:
        count = Reader(update).uint()
    except (BadUpdate, IndexError):
        return 1
    return 1 + min(count, awareness.MAX_STATES) // STATES_AT_ONCE

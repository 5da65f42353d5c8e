"""Serves WebsocketProvider of y-websocket 3, and the providers of pycrdt-websocket and ypy-websocket: one document a
WebSocket, ``/collab/{documentId}?token=``.

A client's own changes come back to it once they are stored, which newer clients count as a confirmation.
"""

from collections.abc import Mapping
from typing import Final

from collab.decoding import BadUpdate
from collab.errors import InvalidUpdate
from collab.native import close_codes, sync
from collab.native.admission import admit
from collab.native.intake import Intake
from collab.native.open_document import OpenDocument
from collab.native.service import NativeEditing
from collab.native.sync import Announcement, AwarenessQuery, SyncRequest
from hub.kernel.framed import FramedSocket

READ_ONLY: Final = "You may read this document, not change it."


class YWebSocketVoice:
    """Implements collab.native.voice.Voice."""

    name = b""

    def __init__(self, socket: FramedSocket) -> None:
        self._socket = socket
        self._told = False
        """Whether the client knows that it may only read: it shows each such message on its console."""

    def opened(self, *, may_write: bool) -> bytes | None:
        """See Voice."""
        return None

    def answer(self, request: SyncRequest, update: bytes, vector: bytes, *, may_write: bool) -> list[bytes]:
        """See Voice."""
        return [sync.step_2(update), *([sync.step_1(vector)] if may_write else [])]

    def ask(self, vector: bytes) -> bytes:
        """See Voice."""
        return sync.step_1(vector)

    def update(self, update: bytes) -> bytes:
        """See Voice."""
        return sync.update(update)

    def awareness(self, update: bytes) -> bytes:
        """See Voice."""
        return sync.awareness(update)

    def taken(self, *, stored: bool) -> bytes | None:
        """See Voice."""
        return None if stored else self._deny()

    def access(self, *, may_write: bool) -> bytes | None:
        """See Voice."""
        self._told = False
        return None if may_write else self._deny()

    def _deny(self) -> bytes | None:
        told, self._told = self._told, True
        return None if told else sync.denied(READ_ONLY)

    def put_out(self, code: int, reason: str) -> None:
        """See Voice."""
        self._socket.close(code, reason)


class YWebSocketSession:
    """Implements hub.kernel.framed.FramedReceiver."""

    def __init__(self, socket: FramedSocket, document: OpenDocument) -> None:
        self._socket = socket
        self._document = document

    def message(self, message: bytes) -> None:
        """See FramedReceiver."""
        try:
            for one in sync.decode(message):
                if isinstance(one, Announcement):
                    self._document.cursors.announce(one.update)
                elif isinstance(one, AwarenessQuery):
                    self._document.cursors.query()
                else:
                    self._document.take(one)
        except (BadUpdate, InvalidUpdate) as error:
            self._document.end(close_codes.BAD_MESSAGE, str(error))

    def filled(self) -> None:
        """See FramedReceiver."""
        self._document.filled()

    def drained(self) -> None:
        """See FramedReceiver."""
        self._document.drained()

    def keep_alive(self) -> None:
        """See FramedReceiver."""
        self._socket.send(sync.KEEP_ALIVE, volatile=True)

    def closed(self) -> None:
        """See FramedReceiver."""
        self._document.close()


class YWebSocketEndpoint:
    """Implements hub.kernel.framed.FramedEndpoint for ``/collab/``."""

    def __init__(self, service: NativeEditing) -> None:
        self._service = service

    def opened(self, socket: FramedSocket, name: str, query: Mapping[str, str]) -> YWebSocketSession:
        """See FramedEndpoint."""
        document = OpenDocument(name, socket.id, socket, YWebSocketVoice(socket), self._service, Intake(socket))
        admitting = admit(self._service, document, query.get("token", ""))
        self._service.tasks.start(admitting, name="admission of an editor")
        return YWebSocketSession(socket, document)

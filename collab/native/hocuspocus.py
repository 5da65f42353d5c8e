"""Serves HocuspocusProvider 4 at ``/collab``: many documents a WebSocket, each opened with a token of its own.

A change is confirmed (SyncStatus) once it is stored, so that the client's ``hasUnsyncedChanges`` can be relied on.
"""

from collections.abc import Mapping
from typing import Final

from collab.decoding import BadUpdate
from collab.errors import InvalidUpdate
from collab.native import close_codes, sync
from collab.native import hocuspocus_messages as messages
from collab.native.admission import admit
from collab.native.hocuspocus_messages import PING, PONG, Closed, Token
from collab.native.intake import Intake
from collab.native.open_document import OpenDocument
from collab.native.service import NativeEditing
from collab.native.sync import Announcement, AwarenessQuery, Change, SyncRequest
from hub.kernel.framed import FramedSocket

SILENT_TICKS: Final = 2
"""Signs of life of the hub, one in 15 s or more often, within which a client has to open a document."""
TOO_BIG: Final = 1009


class HocuspocusVoice:
    """Implements collab.native.voice.Voice, for one name on one socket."""

    def __init__(self, session: "HocuspocusSession", name: bytes) -> None:
        self._session = session
        self._key = name
        self.name = sync.block(name)
        self._open = False

    def opened(self, *, may_write: bool) -> bytes | None:
        """See Voice."""
        self._open = True
        return self.name + messages.authenticated(may_write=may_write)

    def answer(self, request: SyncRequest, update: bytes, vector: bytes, *, may_write: bool) -> list[bytes]:
        """See Voice. A client counts what it asked for as unsynced; who only reads has nothing to bring for it."""
        rest = sync.step_1(vector) if may_write else messages.sync_status(applied=True)
        return [self.name + sync.step_2(update), self.name + rest]

    def ask(self, vector: bytes) -> bytes:
        """See Voice."""
        return self.name + sync.step_1(vector)

    def update(self, update: bytes) -> bytes:
        """See Voice."""
        return self.name + sync.update(update)

    def awareness(self, update: bytes) -> bytes:
        """See Voice."""
        return self.name + sync.awareness(update)

    def taken(self, *, stored: bool) -> bytes | None:
        """See Voice."""
        return self.name + messages.sync_status(applied=stored)

    def access(self, *, may_write: bool) -> bytes | None:
        """See Voice."""
        return self.name + messages.authenticated(may_write=may_write)

    def put_out(self, code: int, reason: str) -> None:
        """See Voice. Other documents of the socket stay open, unless only a new connection can help."""
        socket = self._session.socket
        self._session.forget(self._key)
        if code == close_codes.TRY_AGAIN:
            socket.close(close_codes.RESET, "Reset Connection")
        elif code == close_codes.TOO_LARGE:
            socket.close(TOO_BIG, "Message Too Big")
        elif code == close_codes.BAD_MESSAGE:
            socket.close(code, reason)
        else:
            socket.send(self.name + messages.denied(reason))
            if self._open:
                socket.send(self.name + messages.close(reason))


class HocuspocusSession:
    """Implements hub.kernel.framed.FramedReceiver. What comes for a name without a token is passed over: a client goes
    on for a while after its document was closed.
    """

    def __init__(self, socket: FramedSocket, service: NativeEditing) -> None:
        self.socket = socket
        self._service = service
        self._documents: dict[bytes, OpenDocument] = {}
        self._intake = Intake(socket)
        self._opened = 0
        self._admitting = 0
        """Tokens that are looked at, also of documents that the client has closed meanwhile."""
        self._silent_ticks = 0

    def message(self, message: bytes) -> None:
        """See FramedReceiver."""
        if message == PONG:
            return
        if message == PING:
            self.socket.send(PONG)
            return
        try:
            self._take(*messages.decode(message))
        except (BadUpdate, InvalidUpdate) as error:
            self.socket.close(close_codes.BAD_MESSAGE, str(error))

    def _take(self, name: bytes, body: messages.Body) -> None:
        document = self._documents.get(name)
        if isinstance(body, Token):
            self._open(name, body.text)
        elif document is None:
            return
        elif isinstance(body, SyncRequest | Change):
            document.take(body)
        elif isinstance(body, Announcement):
            document.cursors.announce(body.update)
        elif isinstance(body, AwarenessQuery):
            document.cursors.query()
        elif isinstance(body, Closed):
            del self._documents[name]
            document.close()

    def _open(self, name: bytes, token: str) -> None:
        document_id, voice = messages.document_of(name), HocuspocusVoice(self, name)
        if name in self._documents:  # it is asked for nothing, and so has nothing to say anew
            return
        if max(len(self._documents), self._admitting) >= self._service.documents_per_connection:
            self.socket.send(voice.name + messages.denied("This connection has too many documents open."))
            return
        self._opened += 1
        id = f"{self.socket.id}.{self._opened}"
        document = OpenDocument(document_id, id, self.socket, voice, self._service, self._intake)
        self._documents[name] = document
        self._admitting += 1
        self._service.tasks.start(self._admit(document, token), name="admission of an editor")

    async def _admit(self, document: OpenDocument, token: str) -> None:
        try:
            await admit(self._service, document, token)
        finally:
            self._admitting -= 1

    def forget(self, name: bytes) -> None:
        """The document was closed by the hub."""
        self._documents.pop(name, None)

    def filled(self) -> None:
        """See FramedReceiver."""
        for document in list(self._documents.values()):
            document.filled()

    def drained(self) -> None:
        """See FramedReceiver."""
        for document in list(self._documents.values()):
            document.drained()

    def keep_alive(self) -> None:
        """See FramedReceiver."""
        self._silent_ticks += 1
        if not self._opened and self._silent_ticks >= SILENT_TICKS:
            self.socket.close(close_codes.TIMEOUT, "Connection Timeout")
        else:
            self.socket.send(PING)

    def closed(self) -> None:
        """See FramedReceiver."""
        documents, self._documents = self._documents, {}
        for document in documents.values():
            document.close()


class HocuspocusEndpoint:
    """Implements hub.kernel.framed.FramedEndpoint for ``/collab``."""

    def __init__(self, service: NativeEditing) -> None:
        self._service = service

    def opened(self, socket: FramedSocket, name: str, query: Mapping[str, str]) -> HocuspocusSession:
        """See FramedEndpoint."""
        return HocuspocusSession(socket, self._service)

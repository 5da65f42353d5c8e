"""Serves SocketIOProvider of y-socket.io 1.1: a namespace of Socket.IO for each document, ``/yjs|{documentId}``."""

import logging
from typing import Any, Final

from collab.errors import InvalidUpdate
from collab.native import close_codes
from collab.native.admission import admit
from collab.native.intake import Intake
from collab.native.open_document import OpenDocument
from collab.native.service import NativeEditing
from collab.native.sync import Change, SyncRequest
from hub.kernel.namespaces import NamespaceSocket

log = logging.getLogger(__name__)

UNAUTHORIZED: Final = "Unauthorized"
"""What the server of y-socket.io says, whatever the reason."""


class YSocketIoVoice:
    """Implements collab.native.voice.Voice. The protocol has no word for rights."""

    def __init__(self, session: "YSocketIoSession") -> None:
        self._session = session
        self._socket = session.socket
        self.name = session.socket.form

    def opened(self, *, may_write: bool) -> bytes | None:
        """See Voice. The document is loaded: its client may come in."""
        self._session.accept()
        return None

    def answer(self, request: SyncRequest, update: bytes, vector: bytes, *, may_write: bool) -> list[bytes]:
        """See Voice. A client takes itself for synchronised when it is asked in turn, even if it may only read."""
        answered = [] if request.reply_to is None else [self._socket.acknowledgement(request.reply_to, update)]
        return [*answered, self.ask(vector)]

    def ask(self, vector: bytes) -> bytes:
        """See Voice."""
        return self._socket.question(self._session.answered, "sync-step-1", vector)

    def update(self, update: bytes) -> bytes:
        """See Voice."""
        return self._socket.event("sync-update", update)

    def awareness(self, update: bytes) -> bytes:
        """See Voice."""
        return self._socket.event("awareness-update", update)

    def taken(self, *, stored: bool) -> bytes | None:
        """See Voice."""
        return None

    def access(self, *, may_write: bool) -> bytes | None:
        """See Voice."""
        return None

    def put_out(self, code: int, reason: str) -> None:
        """See Voice."""
        if not self._session.is_in:
            self._socket.refuse(UNAUTHORIZED)
        elif code == close_codes.TRY_AGAIN:
            self._socket.close(code, reason)
        else:
            self._socket.leave()


class YSocketIoSession:
    """Implements hub.kernel.namespaces.NamespaceReceiver."""

    def __init__(self, socket: NamespaceSocket, name: str, service: NativeEditing) -> None:
        self.socket = socket
        self.is_in = False
        voice, intake = YSocketIoVoice(self), Intake(socket)
        self.document = OpenDocument(name, socket.socket_id, socket, voice, service, intake)

    def accept(self) -> None:
        """Let the client in."""
        self.is_in = True
        self.socket.accept()

    def event(self, name: str, arguments: list[Any], number: int | None) -> None:
        """See NamespaceReceiver."""
        data = arguments[0] if arguments else None
        if not isinstance(data, bytes):
            self.document.end(close_codes.BAD_MESSAGE, "an event without bytes")
        elif name == "sync-step-1":
            self.document.take(SyncRequest(data, reply_to=number))
        elif name == "sync-update":
            self.document.take(Change(data, is_answer=False))
        elif name == "awareness-update":
            try:
                self.document.cursors.announce(data)
            except InvalidUpdate as error:
                self.document.end(close_codes.BAD_MESSAGE, str(error))
        else:
            self.document.end(close_codes.BAD_MESSAGE, "an unknown event")

    def answered(self, arguments: list[Any]) -> None:
        """What the client has that the hub lacked."""
        if arguments and isinstance(arguments[0], bytes):
            self.document.take(Change(arguments[0], is_answer=True))

    def closed(self) -> None:
        """See NamespaceReceiver."""
        self.document.close()


class YSocketIoEndpoint:
    """Implements hub.kernel.namespaces.NamespaceEndpoint for ``/yjs|``."""

    def __init__(self, service: NativeEditing) -> None:
        self._service = service

    def opened(self, socket: NamespaceSocket, name: str, auth: object) -> YSocketIoSession:
        """See NamespaceEndpoint."""
        session = YSocketIoSession(socket, name, self._service)
        token = auth.get("token") if isinstance(auth, dict) else None
        admitting = admit(self._service, session.document, token if isinstance(token, str) else "")
        self._service.tasks.start(admitting, name="admission of an editor")
        return session

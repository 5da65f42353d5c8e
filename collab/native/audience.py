"""Shows changes and cursors to the clients of one native protocol: messages made once, for all of them."""

from collections.abc import Sequence

from collab.hot import Shown
from collab.native.open_document import OpenDocument
from collab.native.state import State
from hub.kernel.framed import Sender


class NativeAudience:
    """Implements collab.participants.Audience. ``echoes``: who says something is told it too, once it is stored."""

    def __init__(self, sockets: Sender, *, echoes: bool) -> None:
        self._sockets = sockets
        self._echoes = echoes
        self._open: dict[str, dict[bytes, dict[str, OpenDocument]]] = {}
        """Document → name in messages of it → editor id → editor: those of one name are sent the same bytes."""

    def add(self, document: OpenDocument) -> None:
        """Show it what comes from now on, as it wants."""
        self._open.setdefault(document.document_id, {}).setdefault(document.voice.name, {})[document.id] = document

    def discard(self, document: OpenDocument) -> None:
        """Show it nothing more."""
        groups = self._open.get(document.document_id, {})
        group = groups.get(document.voice.name, {})
        if group.get(document.id) is document:
            del group[document.id]
            if not group:
                del groups[document.voice.name]
            if not groups:
                del self._open[document.document_id]

    def deliver(self, document_id: str, changes: Sequence[Shown]) -> None:
        """See collab.hot.Subscriber. Whatever the changes are, each reader is sent them in one piece."""
        for group in self._groups(document_id):
            senders = set[str]() if self._echoes else {sender for _, sender in changes if sender in group}
            readers = [one for id, one in group.items() if id not in senders and one.shows(changes)]
            self._send(readers, changes)
            for sender in senders:
                others = [change for change in changes if change.sender != sender]
                if others and group[sender].shows(others):
                    self._send([group[sender]], others)

    def _send(self, readers: list[OpenDocument], changes: Sequence[Shown]) -> None:
        if readers:
            messages = [readers[0].voice.update(update) for update, _ in changes]
            self._sockets.send_all([one.socket for one in readers], messages)

    def show_awareness(self, document_id: str, update: bytes, speaker: str | None) -> None:
        """See collab.participants.Audience."""
        for group in self._groups(document_id):
            readers = [one for id, one in group.items() if one.state is State.LIVE and (self._echoes or id != speaker)]
            if readers:
                message = readers[0].voice.awareness(update)
                self._sockets.send_all([one.socket for one in readers], [message], volatile=True)

    def _groups(self, document_id: str) -> list[dict[str, OpenDocument]]:
        return list(self._open.get(document_id, {}).values())

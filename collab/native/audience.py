"""Shows changes and cursors to the clients of one native protocol: one message, made once, to all of them."""

from collections.abc import Callable

from collab.native.open_document import OpenDocument, State
from hub.kernel.framed import Sender


class NativeAudience:
    """Implements collab.editing.Audience. ``echoes``: who says something is told it too, once it is stored."""

    def __init__(self, sockets: Sender, *, echoes: bool) -> None:
        self._sockets = sockets
        self._echoes = echoes
        self._open: dict[str, dict[str, OpenDocument]] = {}

    def add(self, document: OpenDocument) -> None:
        """Show it what comes from now on, as it wants."""
        self._open.setdefault(document.document_id, {})[document.id] = document

    def discard(self, document: OpenDocument) -> None:
        """Show it nothing more."""
        documents = self._open.get(document.document_id, {})
        if documents.get(document.id) is document:
            del documents[document.id]
            if not documents:
                del self._open[document.document_id]

    def deliver(self, document_id: str, update: bytes, sender: str | None) -> None:
        """See collab.hot.Subscriber."""
        receivers = [one for one in self._others(document_id, sender) if one.shows(update)]
        self._send(receivers, lambda one: one.voice.update(update), volatile=False)

    def show_awareness(self, document_id: str, update: bytes, speaker: str | None) -> None:
        """See collab.editing.Audience."""
        receivers = [one for one in self._others(document_id, speaker) if one.state is State.LIVE]
        self._send(receivers, lambda one: one.voice.awareness(update), volatile=True)

    def _others(self, document_id: str, speaker: str | None) -> list[OpenDocument]:
        documents = self._open.get(document_id, {})
        return [one for id, one in documents.items() if self._echoes or id != speaker]

    def _send(
        self, receivers: list[OpenDocument], message_for: Callable[[OpenDocument], bytes], *, volatile: bool
    ) -> None:
        by_name: dict[bytes, list[OpenDocument]] = {}
        for one in receivers:
            by_name.setdefault(one.voice.name, []).append(one)
        for same in by_name.values():
            self._sockets.send_all([one.socket for one in same], message_for(same[0]), volatile=volatile)

"""What documents say: read out in other forms, and written by import, as ordinary changes."""

import base64
import binascii
from typing import Any

import msgspec

from collab.content.jobs import Export, Format, Import, Stored
from collab.content.worker_process import ContentWorker
from collab.decoding import BadUpdate
from collab.engine import NO_ROW, Engine
from collab.errors import InvalidUpdate, UpdateGap
from collab.history.recorder import Contributions
from collab.hot import Gap
from collab.log import Known, UpdateLog
from collab.schema import DocumentContent, DocumentView, NewDocument
from collab.service import DocumentService
from hub.kernel.errors import InvalidPayload
from hub.kernel.events import Actor
from hub.kernel.http import File
from hub.kernel.ports import Access

FILES = {
    "yjs-v1": ("application/octet-stream", "yjs"),
    "yjs-v2": ("application/octet-stream", "yjs2"),
    "text": ("text/plain", "txt"),
    "markdown": ("text/markdown", "md"),
    "json": ("application/json", "json"),
}
NOTHING = Stored(None)


class Contents:
    """Reads what is committed, from the log: no node has to have the document open. Writes by the engine alone."""

    def __init__(
        self,
        engine: Engine,
        updates: UpdateLog,
        worker: ContentWorker,
        documents: DocumentService,
        access: Access,
        contributions: Contributions,
    ) -> None:
        self._engine = engine
        self._log = updates
        self._worker = worker
        self._documents = documents
        self._access = access
        self._contributions = contributions

    async def stored(self, document_id: str) -> Stored:
        """All that is committed of a document. Raises Unavailable."""
        reading = await self._log.read(document_id, Known(0, {}))
        state = None if reading.snapshot is None else reading.snapshot.state
        return Stored(state, [row.data for row in reading.rows])

    async def export(self, actor: Actor, document_id: str, form: Format) -> File:
        """A document as a file. Raises NotFound, UnsuitableContent, Overloaded, Unavailable."""
        await self._access.check(actor, "read", "document", document_id)
        return await self.file(document_id, await self.stored(document_id), form)

    async def file(self, name: str, stored: Stored, form: Format) -> File:
        """Content as a file. Raises UnsuitableContent and Overloaded."""
        data = await self._worker.do(Export(stored, form))
        media_type, ending = FILES[form]
        return File(data, media_type, f"{name}.{ending}")

    async def create(self, actor: Actor, new: NewDocument) -> DocumentView:
        """Create a document, with content if any is given. What cannot be imported creates nothing."""
        update = b"" if new.content is None else await self._update(NOTHING, new.content)
        view = await self._documents.create(actor, new)
        if update:
            await self.submit(actor, view.id, update)
        return view

    async def write(self, actor: Actor, document_id: str, content: DocumentContent) -> str:
        """Import content, and return where the change stands in the log.

        Raises NotFound, Forbidden, InvalidPayload, InvalidUpdate, UpdateGap, UnsuitableContent, PayloadTooLarge,
        Overloaded and Unavailable.
        """
        await self._access.check(actor, "write", "document", document_id)
        update = await self._update(await self.stored(document_id), content)
        await self._access.check(actor, "write", "document", document_id)  # once more: it may have taken a while
        return await self.submit(actor, document_id, update) if update else NO_ROW

    async def submit(self, actor: Actor, document_id: str, update: bytes) -> str:
        """Commit a change of somebody who may write, and show it to all who have the document open."""
        try:
            seq = await self._engine.submit(document_id, update)
        except BadUpdate as error:
            raise InvalidUpdate(f"The update is invalid: {error}.") from error
        except Gap as gap:
            raise UpdateGap(stateVector=base64.b64encode(gap.vector).decode()) from gap
        if seq != NO_ROW:
            self._contributions.note(document_id, actor.user_id, len(update))
        return seq

    async def _update(self, present: Stored, content: DocumentContent) -> bytes:
        job = Import(present, content.format, _data(content), content.root, content.editor)
        return await self._worker.do(job)


def _data(content: DocumentContent) -> bytes:
    """The bytes of what is given. Raises InvalidPayload if that is not what the format has."""
    given: Any = content.content
    if content.format == "json":
        return msgspec.json.encode(given) if isinstance(given, dict) else given.encode("utf-8", "replace")
    if not isinstance(given, str):
        raise _unfit("Must be a string for this format")
    try:
        return base64.b64decode(given, validate=True) if content.format.startswith("yjs") else given.encode()
    except (binascii.Error, ValueError):
        raise _unfit("Must be base64" if content.format.startswith("yjs") else "Must be text") from None


def _unfit(detail: str) -> InvalidPayload:
    return InvalidPayload(f"{detail} (at /content)", errors=[{"pointer": "/content", "detail": detail}])

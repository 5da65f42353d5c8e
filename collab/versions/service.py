"""Versions: keeping, listing, looking at, comparing and restoring what a document said."""

from datetime import datetime

import msgspec

from collab.content.jobs import Compare, Gather, Restore, Stored
from collab.content.service import Contents
from collab.content.worker_process import ContentWorker
from collab.engine import NO_ROW
from collab.history.recorder import Contributions
from collab.schema import Format
from collab.settings import CollabSettings
from collab.versions.model import Version
from collab.versions.schema import DiffView, NewVersion, Restored, RootDiff, VersionQuery, VersionView
from collab.versions.store import VersionStore
from hub.kernel.clock import Clock
from hub.kernel.errors import Conflict, NotFound
from hub.kernel.events import Actor
from hub.kernel.http import File
from hub.kernel.ids import new_uuid
from hub.kernel.pages import Page, decode_cursor, page
from hub.kernel.ports import Access
from hub.kernel.wire import Uuid


class Versions:
    """The use cases of versions, for those who may change the document."""

    def __init__(
        self,
        store: VersionStore,
        contents: Contents,
        worker: ContentWorker,
        contributions: Contributions,
        access: Access,
        clock: Clock,
        settings: CollabSettings,
    ) -> None:
        self._store = store
        self._contents = contents
        self._worker = worker
        self._contributions = contributions
        self._access = access
        self._clock = clock
        self._settings = settings

    async def create(self, actor: Actor, document_id: str, new: NewVersion) -> VersionView:
        """Keep what is committed at this moment, under a name.

        Raises NotFound, Forbidden, UnsuitableContent, Overloaded, Unavailable, and Conflict if there are too many.
        """
        await self._access.check(actor, "write", "document", document_id)
        state = await self._present(document_id)
        version = Version(new_uuid(), document_id, new.name, actor.user_id, self._clock.now(), [], len(state))
        added = await self._store.add(
            version, state, at_most=self._settings.named_versions, most_bytes=self._settings.version_bytes
        )
        if added is None:
            raise Conflict(
                f"A document can have {self._settings.named_versions} named versions, of "
                f"{self._settings.version_bytes} bytes together. Delete one first."
            )
        return _view(added)

    async def list(self, actor: Actor, document_id: str, query: VersionQuery) -> Page[VersionView]:
        """Versions, newest first."""
        await self._access.check(actor, "write", "document", document_id)
        after = decode_cursor(query.cursor, tuple[datetime, Uuid]) if query.cursor else None
        rows = await self._store.of_document(document_id, query.limit + 1, after, named=query.named)
        return page(rows, query.limit, _view, lambda row: (row.created_at, row.id))

    async def export(self, actor: Actor, document_id: str, version_id: str, form: Format) -> File:
        """What the document said, as a file."""
        await self._access.check(actor, "write", "document", document_id)
        return await self._contents.file(version_id, await self._stored(document_id, version_id), form)

    async def compare(self, actor: Actor, document_id: str, version_id: str, other_id: str | None) -> DiffView:
        """What changed from a version to another one, or to what the document says now."""
        await self._access.check(actor, "write", "document", document_id)
        before = await self._stored(document_id, version_id)
        if other_id is None:
            after = await self._contents.stored(document_id)
        else:
            after = await self._stored(document_id, other_id)
        return DiffView(roots=msgspec.json.decode(await self._worker.do(Compare(before, after)), type=list[RootDiff]))

    async def restore(self, actor: Actor, document_id: str, version_id: str) -> Restored:
        """Have the document say again what it said, by a change like any other: whoever has it open sees it come.

        What it says until then is kept as an automatic version first. What others write meanwhile stays.
        """
        await self._access.check(actor, "write", "document", document_id)
        wanted = await self._stored(document_id, version_id)
        present = await self._contents.stored(document_id)
        update = await self._worker.do(Restore(present, wanted))
        before = await self._keep(document_id, await self._worker.do(Gather(present)))
        await self._access.check(actor, "write", "document", document_id)  # once more: it may have taken a while
        seq = await self._contents.submit(actor, document_id, update) if update else NO_ROW
        return Restored(seq=seq, before=before)

    async def remove(self, actor: Actor, document_id: str, version_id: str) -> None:
        """Forget a version. Only for the owner: editors must not make history disappear."""
        await self._access.check(actor, "manage", "document", document_id)
        if not await self._store.remove(document_id, version_id):
            raise NotFound

    async def keep_automatic(self, document_id: str) -> None:
        """Keep a version by itself, unless the newest one says the same. Raises what :meth:`create` raises."""
        await self._keep(document_id, await self._present(document_id))

    async def _keep(self, document_id: str, state: bytes) -> VersionView:
        await self._contributions.flush()
        version = Version(new_uuid(), document_id, None, None, self._clock.now(), [], len(state))
        kept = await self._store.add_automatic(
            version, state, at_most=self._settings.automatic_versions, most_bytes=self._settings.version_bytes
        )
        if kept is None:  # it is there already, or so the newest one says
            newest = await self._store.of_document(document_id, 1, None, named=False)
            if not newest:
                raise NotFound
            kept = newest[0]
        return _view(kept)

    async def _present(self, document_id: str) -> bytes:
        await self._contributions.flush()
        return await self._worker.do(Gather(await self._contents.stored(document_id)))

    async def _stored(self, document_id: str, version_id: str) -> Stored:
        state = await self._store.state(document_id, version_id)
        if state is None:
            raise NotFound("There is no such version.")
        return Stored(state)


def _view(version: Version) -> VersionView:
    return VersionView(
        id=version.id,
        name=version.name,
        created_by=version.created_by,
        created_at=version.created_at,
        authors=version.authors,
        size=version.size,
    )

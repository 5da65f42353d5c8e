"""REST interface of versions and history."""

from collab.history.schema import ContributionView
from collab.history.service import DocumentHistory
from collab.schema import ExportQuery
from collab.versions.schema import (
    DiffQuery,
    DiffView,
    NewVersion,
    Restored,
    VersionQuery,
    VersionView,
)
from collab.versions.service import Versions
from hub.kernel.events import Actor
from hub.kernel.http import File, Reply, RestApi
from hub.kernel.limits import Limit
from hub.kernel.pages import Page, PageQuery
from hub.kernel.wire import Uuid

HEAVY = Limit(per_minute=60, burst=30)
"""What loads a document, or two: some ms for most, a second for the largest."""


def versions_api(versions: Versions, history: DocumentHistory) -> RestApi:
    """Versions of documents, and who changed them."""

    async def create(actor: Actor, document_id: Uuid, body: NewVersion) -> Reply[VersionView]:
        """Keep what a document says, under a name"""
        view = await versions.create(actor, document_id, body)
        return Reply(view, location=f"/documents/{document_id}/versions/{view.id}")

    async def listing(actor: Actor, document_id: Uuid, query: VersionQuery) -> Page[VersionView]:
        """The versions of a document"""
        return await versions.list(actor, document_id, query)

    async def export(actor: Actor, document_id: Uuid, version_id: Uuid, query: ExportQuery) -> Reply[File]:
        """What a document said in a version"""
        return Reply(await versions.export(actor, document_id, version_id, query.format))

    async def compare(actor: Actor, document_id: Uuid, version_id: Uuid, query: DiffQuery) -> DiffView:
        """What has changed since a version"""
        return await versions.compare(actor, document_id, version_id, query.to)

    async def restore(actor: Actor, document_id: Uuid, version_id: Uuid) -> Restored:
        """Have a document say again what it said in a version"""
        return await versions.restore(actor, document_id, version_id)

    async def remove(actor: Actor, document_id: Uuid, version_id: Uuid) -> None:
        """Forget a version"""
        await versions.remove(actor, document_id, version_id)

    async def contributions(actor: Actor, document_id: Uuid, query: PageQuery) -> Page[ContributionView]:
        """Who changed a document, and when"""
        return await history.list(actor, document_id, query)

    api = RestApi("documents")
    api.post("/documents/{documentId}/versions", create, limit=HEAVY)
    api.get("/documents/{documentId}/versions", listing)
    api.get("/documents/{documentId}/versions/{versionId}", export, limit=HEAVY)
    api.get("/documents/{documentId}/versions/{versionId}/diff", compare, limit=HEAVY)
    api.post("/documents/{documentId}/versions/{versionId}/restore", restore, status=200, limit=HEAVY)
    api.delete("/documents/{documentId}/versions/{versionId}", remove)
    api.get("/documents/{documentId}/history", contributions)
    return api

"""REST interface of what documents say."""

from collab.content.service import Contents
from collab.schema import DocumentContent, DocumentView, ExportQuery, Imported, NewDocument
from hub.kernel.events import Actor
from hub.kernel.http import File, Reply, RestApi
from hub.kernel.limits import Limit
from hub.kernel.wire import Uuid

HEAVY = Limit(per_minute=60, burst=30)
"""What loads a document: some ms for most, a second for the largest."""


def contents_api(contents: Contents) -> RestApi:
    """Creating documents, with content or without, and their export and import."""

    async def create(actor: Actor, body: NewDocument) -> Reply[DocumentView]:
        """Create a document"""
        view = await contents.create(actor, body)
        return Reply(view, version=view.version, location=f"/documents/{view.id}")

    async def export(actor: Actor, document_id: Uuid, query: ExportQuery) -> Reply[File]:
        """What a document says, as a file"""
        return Reply(await contents.export(actor, document_id, query.format))

    async def write(actor: Actor, document_id: Uuid, body: DocumentContent) -> Imported:
        """Import content into a document"""
        return Imported(seq=await contents.write(actor, document_id, body))

    api = RestApi("documents")
    api.post("/documents", create)
    api.get("/documents/{documentId}/export", export, limit=HEAVY)
    api.post("/documents/{documentId}/import", write, status=200, limit=HEAVY)
    return api

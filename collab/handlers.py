"""Socket events of documents."""

from collab.live import LiveDocuments
from collab.schema import (
    AnnounceAwareness,
    ChangedDocument,
    ChangeDocument,
    JoinDocument,
    JoinedDocument,
    LeaveDocument,
)
from hub.kernel.events import Caller, EventRouter


def collab_events(service: LiveDocuments) -> EventRouter:
    """``collab:*``; what one connection does to one document completes in the order it was sent."""

    async def join(caller: Caller, payload: JoinDocument) -> JoinedDocument:
        return await service.join(caller, payload.document_id, payload.state_vector)

    async def change(caller: Caller, payload: ChangeDocument) -> ChangedDocument:
        return await service.change(caller, payload.document_id, payload.update)

    async def announce(caller: Caller, payload: AnnounceAwareness) -> None:
        await service.announce(caller, payload.document_id, payload.update)

    async def leave(caller: Caller, payload: LeaveDocument) -> None:
        await service.leave(caller, payload.document_id)

    def by_document(payload: JoinDocument | ChangeDocument | AnnounceAwareness | LeaveDocument) -> str:
        return f"doc:{payload.document_id}"  # as typing:start names it, so that it waits for the join too

    router = EventRouter()
    router.on("collab:join", JoinDocument, join, bare="documentId", order=by_document)
    router.on("collab:change", ChangeDocument, change, order=by_document)
    router.on("collab:awareness", AnnounceAwareness, announce, order=by_document)
    router.on("collab:leave", LeaveDocument, leave, bare="documentId", order=by_document)
    router.disconnected.append(service.disconnected)
    return router

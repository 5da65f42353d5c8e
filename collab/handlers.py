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
from hub.kernel.limits import Limit

JOINS = Limit(per_minute=300, burst=200)
"""A client that comes back joins all that it has open; a probe after each ``update_gap`` comes on top."""
CHANGES = Limit(per_minute=3600, burst=600)
"""An editor makes up to 20 updates a second, and one that was offline all that it has at once. Three devices."""
AWARENESS = Limit(per_minute=7200, burst=600)
"""A cursor moves 30 times a second, in up to four documents or devices together."""


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

    router = EventRouter(restores={"doc": service.restore})
    router.on("collab:join", JoinDocument, join, bare="documentId", order=by_document, limit=JOINS)
    router.on("collab:change", ChangeDocument, change, order=by_document, limit=CHANGES)
    # y-protocols renews what it says every 15 s, whoever looks at it.
    router.on("collab:awareness", AnnounceAwareness, announce, order=by_document, limit=AWARENESS, automatic=True)
    router.on("collab:leave", LeaveDocument, leave, bare="documentId", order=by_document, limit=JOINS)
    router.disconnected.append(service.disconnected)
    return router

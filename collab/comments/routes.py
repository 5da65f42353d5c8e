"""REST interface of comments."""

from collab.comments.schema import CommentChanges, CommentView, NewComment, Resolution, ThreadQuery, ThreadView
from collab.comments.service import Comments
from hub.kernel.events import Actor
from hub.kernel.http import Reply, RestApi
from hub.kernel.limits import Limit
from hub.kernel.pages import Page
from hub.kernel.wire import Uuid

COMMENTS = Limit(per_minute=60, burst=30)
"""People write a few a minute, and each is told to all who have the document open."""


def comments_api(comments: Comments) -> RestApi:
    """Comments on documents."""

    async def create(actor: Actor, document_id: Uuid, body: NewComment) -> Reply[CommentView]:
        """Comment on a document, or reply"""
        view = await comments.create(actor, document_id, body)
        return Reply(view, location=f"/documents/{document_id}/comments/{view.thread_id}")

    async def listing(actor: Actor, document_id: Uuid, query: ThreadQuery) -> Page[ThreadView]:
        """The threads of a document"""
        return await comments.list(actor, document_id, query)

    async def read(actor: Actor, document_id: Uuid, comment_id: Uuid) -> Reply[ThreadView]:
        """A thread, by its first comment"""
        return Reply(await comments.read(actor, document_id, comment_id))

    async def edit(actor: Actor, document_id: Uuid, comment_id: Uuid, body: CommentChanges) -> CommentView:
        """Change a comment of one's own"""
        return await comments.edit(actor, document_id, comment_id, body)

    async def remove(actor: Actor, document_id: Uuid, comment_id: Uuid) -> None:
        """Delete a comment, with its thread if it is the first"""
        await comments.remove(actor, document_id, comment_id)

    async def resolve(actor: Actor, document_id: Uuid, comment_id: Uuid, body: Resolution) -> ThreadView:
        """Say that a thread is done with, or is not"""
        return await comments.resolve(actor, document_id, comment_id, body.resolved)

    api = RestApi("documents")
    api.post("/documents/{documentId}/comments", create, limit=COMMENTS)
    api.get("/documents/{documentId}/comments", listing)
    api.get("/documents/{documentId}/comments/{commentId}", read)
    api.patch("/documents/{documentId}/comments/{commentId}", edit, limit=COMMENTS)
    api.delete("/documents/{documentId}/comments/{commentId}", remove)
    api.put("/documents/{documentId}/comments/{commentId}/resolution", resolve, limit=COMMENTS)
    return api

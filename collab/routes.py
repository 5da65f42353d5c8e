"""REST interface of documents."""

from collab.schema import (
    DocumentChanges,
    DocumentQuery,
    DocumentView,
    MemberRole,
    MemberView,
    NewMember,
    NewOwner,
)
from collab.service import DocumentService
from hub.kernel.events import Actor
from hub.kernel.http import Reply, RestApi
from hub.kernel.pages import Page
from hub.kernel.wire import Uuid


def documents_api(service: DocumentService) -> RestApi:
    """Documents and their members."""

    async def listing(actor: Actor, query: DocumentQuery) -> Page[DocumentView]:
        """Documents of your own, and shared with you"""
        return await service.list(actor, query)

    async def read(actor: Actor, document_id: Uuid) -> Reply[DocumentView]:
        """A document, without its text"""
        view = await service.read(actor, document_id)
        return Reply(view, version=view.version)

    async def change(
        actor: Actor, document_id: Uuid, body: DocumentChanges, if_match: int | None
    ) -> Reply[DocumentView]:
        """Change title or visibility"""
        view = await service.change(actor, document_id, body, if_match)
        return Reply(view, version=view.version)

    async def delete(actor: Actor, document_id: Uuid, if_match: int | None) -> None:
        """Delete a document"""
        await service.delete(actor, document_id, if_match)

    async def undelete(actor: Actor, document_id: Uuid) -> Reply[DocumentView]:
        """Take the deletion of a document back"""
        view = await service.undelete(actor, document_id)
        return Reply(view, version=view.version)

    async def transfer(actor: Actor, document_id: Uuid, body: NewOwner) -> Reply[DocumentView]:
        """Give a document to one of its members"""
        view = await service.transfer(actor, document_id, body.user_id)
        return Reply(view, version=view.version)

    async def add_member(actor: Actor, document_id: Uuid, body: NewMember) -> Reply[MemberView]:
        """Share a document"""
        member = await service.add_member(actor, document_id, body)
        return Reply(member, location=f"/documents/{document_id}/members/{member.user_id}")

    async def change_member(actor: Actor, document_id: Uuid, user_id: Uuid, body: MemberRole) -> MemberView:
        """Give a member another role"""
        return await service.change_member(actor, document_id, user_id, body.role)

    async def remove_member(actor: Actor, document_id: Uuid, user_id: Uuid) -> None:
        """Stop sharing with a member"""
        await service.remove_member(actor, document_id, user_id)

    api = RestApi("documents")
    api.get("/documents", listing)
    api.get("/documents/{documentId}", read)
    api.patch("/documents/{documentId}", change)
    api.delete("/documents/{documentId}", delete)
    api.post("/documents/{documentId}/undelete", undelete, status=200)
    api.put("/documents/{documentId}/owner", transfer)
    api.post("/documents/{documentId}/members", add_member)
    api.patch("/documents/{documentId}/members/{userId}", change_member)
    api.delete("/documents/{documentId}/members/{userId}", remove_member)
    return api

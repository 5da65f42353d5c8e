"""REST interface of links."""

import msgspec

from collab.schema import DocumentView
from collab.sharing.schema import JoinByLink, LinkView, NewLink
from collab.sharing.service import Links
from hub.kernel.events import Actor
from hub.kernel.http import Reply, RestApi
from hub.kernel.limits import Limit
from hub.kernel.pages import Page, PageQuery
from hub.kernel.wire import Uuid

JOINS = Limit(per_minute=20, burst=20)
"""People follow a link now and then. Secrets are guessed by nobody at any rate."""


def links_api(links: Links) -> RestApi:
    """Links of documents, and joining by one."""

    async def create(actor: Actor, document_id: Uuid, body: NewLink) -> Reply[LinkView]:
        """Make a link that shares a document"""
        view, secret = await links.create(actor, document_id, body)
        shown = msgspec.structs.replace(view, secret=secret)
        return Reply(shown, location=f"/documents/{document_id}/links/{view.id}", kept=view)

    async def listing(actor: Actor, document_id: Uuid, query: PageQuery) -> Page[LinkView]:
        """The links of a document"""
        return await links.list(actor, document_id, query)

    async def revoke(actor: Actor, document_id: Uuid, link_id: Uuid) -> None:
        """Revoke a link"""
        await links.revoke(actor, document_id, link_id)

    async def join(actor: Actor, body: JoinByLink) -> Reply[DocumentView]:
        """Become a member of a document by a link"""
        view = await links.join(actor, body.secret)
        return Reply(view, version=view.version)

    api = RestApi("documents")
    api.post("/documents/{documentId}/links", create)
    api.get("/documents/{documentId}/links", listing)
    api.delete("/documents/{documentId}/links/{linkId}", revoke)
    api.post("/documents/join", join, status=200, limit=JOINS)
    return api

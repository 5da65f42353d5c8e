"""Sharing a document by a link: whoever has it may become a member."""

from datetime import datetime, timedelta

from collab.schema import DocumentView
from collab.service import DocumentService
from collab.settings import CollabSettings
from collab.sharing.model import Link, hash_of, new_secret
from collab.sharing.schema import LinkView, NewLink
from collab.sharing.store import LinkStore
from hub.kernel.clock import Clock
from hub.kernel.errors import Conflict, InvalidPayload, NotFound
from hub.kernel.events import Actor
from hub.kernel.ids import new_uuid
from hub.kernel.pages import Page, PageQuery, decode_cursor, page
from hub.kernel.ports import Access
from hub.kernel.wire import Uuid

LONGEST = timedelta(days=366)
NO_LINK = "There is no such link. It may have expired, or been revoked."
"""The same words for every reason: what a link once led to is nobody's business who has not joined by it."""


class Links:
    """The use cases of links. Only the owner of a document makes, sees and revokes them."""

    def __init__(
        self, store: LinkStore, documents: DocumentService, access: Access, clock: Clock, settings: CollabSettings
    ) -> None:
        self._store = store
        self._documents = documents
        self._access = access
        self._clock = clock
        self._settings = settings

    async def create(self, actor: Actor, document_id: str, new: NewLink) -> tuple[LinkView, str]:
        """Make a link; the second value is its secret, which nobody can be told again.

        Raises NotFound, Forbidden, InvalidPayload for an end that is past or over a year away, and Conflict if there
        are too many.
        """
        await self._access.check(actor, "manage", "document", document_id)
        now = self._clock.now()
        if new.expires_at is not None and not now < new.expires_at <= now + LONGEST:
            detail = "Must be in the future, and within a year"
            raise InvalidPayload(f"{detail} (at /expiresAt)", errors=[{"pointer": "/expiresAt", "detail": detail}])
        link = Link(new_uuid(), document_id, new.role, actor.user_id, now, new.expires_at)
        secret = new_secret()
        if not await self._store.add(link, hash_of(secret), self._settings.links):
            raise Conflict(f"A document can have {self._settings.links} links. Revoke one first.")
        return _view(link), secret

    async def list(self, actor: Actor, document_id: str, query: PageQuery) -> Page[LinkView]:
        """The links that are good, newest first."""
        await self._access.check(actor, "manage", "document", document_id)
        after = decode_cursor(query.cursor, tuple[datetime, Uuid]) if query.cursor else None
        links = await self._store.of_document(document_id, self._clock.now(), query.limit + 1, after)
        return page(links, query.limit, _view, lambda link: (link.created_at, link.id))

    async def revoke(self, actor: Actor, document_id: str, link_id: str) -> None:
        """Let nobody else join by a link. Whoever has joined by it stays a member. Raises NotFound."""
        await self._access.check(actor, "manage", "document", document_id)
        if not await self._store.revoke(document_id, link_id):
            raise NotFound

    async def join(self, actor: Actor, secret: str) -> DocumentView:
        """Become a member by a link's secret, and get the document. Never takes a right away; twice is harmless.

        Raises NotFound for a secret of no link, and for who has a block with the owner; Conflict if the document has
        as many members as it can have.
        """
        now = self._clock.now()
        found = await self._store.find(hash_of(secret), now)
        if found is None:
            raise NotFound(NO_LINK)
        link, owner_id = found
        if await self._access.blocked(actor.user_id, owner_id):
            raise NotFound(NO_LINK)
        joined = await self._store.join(link.id, actor.user_id, self._settings.members, now)
        if joined is None:
            raise NotFound(NO_LINK)
        if not joined:
            raise Conflict(f"A document can be shared with {self._settings.members} people.")
        return await self._documents.read(actor, link.document_id)


def _view(link: Link) -> LinkView:
    return LinkView(
        id=link.id,
        role=link.role,  # type: ignore[arg-type]  # checked by the database
        created_by=link.created_by,
        created_at=link.created_at,
        expires_at=link.expires_at,
        joined=link.joined,
    )

"""Documents as a library: create, list, share, delete. The text itself is in collab.live."""

import re
from collections.abc import Collection, Set
from datetime import datetime

from msgspec import UNSET

from collab.model import DocumentRecord, Member
from collab.ports import People
from collab.schema import DocumentChanges, DocumentQuery, DocumentView, MemberView, NewDocument, NewMember
from collab.settings import CollabSettings
from collab.store import DocumentStore
from hub.kernel.clock import Clock
from hub.kernel.errors import Conflict, NotFound, PreconditionFailed
from hub.kernel.events import Actor
from hub.kernel.ids import RoomName, UserId, new_uuid, user_room
from hub.kernel.pages import Page, decode_cursor, page
from hub.kernel.ports import Access, Rooms
from hub.kernel.wire import UUID_PATTERN, Uuid

IS_UUID = re.compile(UUID_PATTERN)


def document_room(document_id: str) -> RoomName:
    """The room of the connections that have a document open."""
    return RoomName(f"doc:{document_id}")


class DocumentRoles:
    """Implements hub.kernel.ports.Roles for ``document``.

    Public documents can be read by all who are signed in. For whom the owner blocks, or who blocks the owner, they do
    not exist; members stay members until somebody takes them out.
    """

    def __init__(self, store: DocumentStore, access: Access) -> None:
        self._store = store
        self._access = access

    async def role(self, user_id: str | None, resource_id: str) -> str | None:
        """See hub.kernel.ports.Roles."""
        if user_id is None or not IS_UUID.fullmatch(resource_id):
            return None
        record = await self._store.find(resource_id, user_id)
        if record is None:
            return None
        role = record.role_of(user_id)
        if role is not None and not record.is_shared_with(user_id):
            return None if await self._access.blocked(user_id, record.owner_id) else role
        return role

    async def roles(self, user_id: str, resource_ids: Set[str]) -> dict[str, str]:
        """See hub.kernel.ports.Roles."""
        records = await self._store.find_all([one for one in resource_ids if IS_UUID.fullmatch(one)], user_id)
        strange = {record.owner_id for record in records if not record.is_shared_with(user_id)}
        hidden = await self._access.blocked_among(user_id, strange)
        roles = {
            record.id: record.role_of(user_id)
            for record in records
            if record.is_shared_with(user_id) or record.owner_id not in hidden
        }
        return {document_id: role for document_id, role in roles.items() if role is not None}

    async def roles_among(self, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The roles of (document, user) pairs, in two queries at most; those that :meth:`role` says ``None`` of are
        left out. The documents' ids must be UUIDs.
        """
        standings = await self._store.standings(pairs) if pairs else {}
        strange = {(user_id, one.owner_id) for (_, user_id), one in standings.items() if not one.is_shared}
        hidden = await self._access.blocked_pairs(strange)
        return {
            pair: one.role for pair, one in standings.items() if one.is_shared or (pair[1], one.owner_id) not in hidden
        }


class DocumentService:
    """What people do with whole documents. Raises NotFound for those without a role, Forbidden for too small a role."""

    def __init__(
        self,
        store: DocumentStore,
        access: Access,
        people: People,
        rooms: Rooms,
        clock: Clock,
        settings: CollabSettings,
    ) -> None:
        self._store = store
        self._access = access
        self._people = people
        self._rooms = rooms
        self._clock = clock
        self._settings = settings
        self._grace = settings.grace

    async def create(self, actor: Actor, new: NewDocument) -> DocumentView:
        """Create an empty document."""
        document_id = new_uuid()
        await self._store.create(document_id, new.title, actor.user_id, new.visibility, self._clock.now())
        return await self.read(actor, document_id)

    async def list(self, actor: Actor, query: DocumentQuery) -> Page[DocumentView]:
        """The actor's own documents and those shared with the actor, newest first; or those that the actor deleted."""
        after = decode_cursor(query.cursor, tuple[datetime, Uuid]) if query.cursor else None
        if query.deleted:
            since = self._clock.now() - self._grace
            rows = await self._store.deleted_of(actor.user_id, since, query.limit + 1, after)
        else:
            rows = await self._store.of_user(actor.user_id, query.limit + 1, after)
        return page(rows, query.limit, lambda row: self._view(row, actor), lambda row: (row.created_at, row.id))

    async def read(self, actor: Actor, document_id: str) -> DocumentView:
        """One document; its owner also sees the members."""
        await self._access.check(actor, "read", "document", document_id)
        record = await self._store.find(document_id, actor.user_id)
        if record is None:
            raise NotFound
        view = self._view(record, actor)
        if view.role == "owner":
            members = await self._store.members(document_id)
            view.members = [_member_view(member) for member in members]
        return view

    async def change(
        self, actor: Actor, document_id: str, changes: DocumentChanges, if_version: int | None
    ) -> DocumentView:
        """Change title or visibility. Raises PreconditionFailed if ``if_version`` is not the present one."""
        action = "write" if changes.visibility is UNSET else "manage"
        await self._access.check(actor, action, "document", document_id)
        title = None if changes.title is UNSET else changes.title
        visibility = None if changes.visibility is UNSET else changes.visibility
        if not await self._store.change(document_id, title, visibility, if_version, self._clock.now()):
            await self._explain(actor, document_id)
        return await self.read(actor, document_id)

    async def delete(self, actor: Actor, document_id: str, if_version: int | None) -> None:
        """Delete a document for everybody, and put out whoever has it open. Its owner can take that back."""
        await self._access.check(actor, "manage", "document", document_id)
        if not await self._store.delete(document_id, if_version, self._clock.now()):
            await self._explain(actor, document_id)
        room = document_room(document_id)
        await self._rooms.evict(room, of=room)

    async def undelete(self, actor: Actor, document_id: str) -> DocumentView:
        """Take a deletion back, with members, links and all. Raises NotFound for others, and when it is late.

        For anybody but the owner a deleted document does not exist, which the access rule says by giving no role.
        """
        now = self._clock.now()
        if not await self._store.undelete(document_id, actor.user_id, now - self._grace, now):
            raise NotFound
        return await self.read(actor, document_id)

    async def transfer(self, actor: Actor, document_id: str, new_owner_id: str) -> DocumentView:
        """Give a document to one of its members; the owner becomes an editor.

        Raises NotFound for the document, and Conflict for who is no member, or is no more.
        """
        await self._access.check(actor, "manage", "document", document_id)
        if not await self._people.exists(new_owner_id) or not await self._store.transfer(
            document_id, actor.user_id, new_owner_id, self._clock.now()
        ):
            raise Conflict("Only a member can become the owner. Share the document first.")
        return await self.read(actor, document_id)

    async def add_member(self, actor: Actor, document_id: str, new: NewMember) -> MemberView:
        """Share a document. Doing it twice is harmless; another role than the standing one is a Conflict.

        Raises NotFound for the document, and for a person who is not there or has a block with the owner.
        """
        await self._access.check(actor, "manage", "document", document_id)
        if new.user_id == actor.user_id:
            raise Conflict("The owner needs no other role.")
        if not await self._people.exists(new.user_id) or await self._access.blocked(actor.user_id, new.user_id):
            raise NotFound("There is no such person.")
        member = Member(new.user_id, new.role)
        standing = await self._store.add_member(document_id, member, self._settings.members, self._clock.now())
        if standing is None:
            raise Conflict(f"A document can be shared with {self._settings.members} people.")
        if standing != new.role:
            raise Conflict(f"This person is {standing} already.")
        return _member_view(member)

    async def change_member(self, actor: Actor, document_id: str, user_id: str, role: str) -> MemberView:
        """Give a member another role. Connections that have the document open follow within a second."""
        await self._access.check(actor, "manage", "document", document_id)
        member = Member(user_id, role)
        if not await self._store.change_member(document_id, member, self._clock.now()):
            raise NotFound
        return _member_view(member)

    async def remove_member(self, actor: Actor, document_id: str, user_id: str) -> None:
        """Share it no longer, and put the person's connections out. Members may remove themselves."""
        action = "read" if user_id == actor.user_id else "manage"
        await self._access.check(actor, action, "document", document_id)
        if not await self._store.remove_member(document_id, user_id, self._clock.now()):
            raise NotFound
        # A public document stays readable; the client joins again, as a viewer.
        await self._rooms.evict(document_room(document_id), of=user_room(UserId(user_id)))

    def _view(self, record: DocumentRecord, actor: Actor) -> DocumentView:
        view = _view(record, actor)
        if record.deleted_at is not None:
            view.removed_at = record.deleted_at + self._grace
        return view

    async def _explain(self, actor: Actor, document_id: str) -> None:
        """Say why nothing was changed: gone meanwhile, or of another version."""
        await self._access.check(actor, "read", "document", document_id)
        raise PreconditionFailed


def _view(record: DocumentRecord, actor: Actor) -> DocumentView:
    return DocumentView(
        id=record.id,
        title=record.title,
        owner_id=record.owner_id,
        visibility=record.visibility,  # type: ignore[arg-type]  # checked by the database
        role=record.role_of(actor.user_id) or "viewer",  # type: ignore[arg-type]  # checked by the database
        version=record.version,
        created_at=record.created_at,
        updated_at=record.updated_at,
    )


def _member_view(member: Member) -> MemberView:
    return MemberView(user_id=member.user_id, role=member.role)  # type: ignore[arg-type]  # checked by the database

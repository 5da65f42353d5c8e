"""Documents as a library, over real PostgreSQL: creating, listing, sharing, and who sees what."""

import asyncpg
import pytest

from collab.schema import DocumentChanges, DocumentQuery, NewDocument, NewMember
from collab.service import DocumentRoles, DocumentService, document_room
from collab.settings import CollabSettings
from collab.store_postgres import PostgresDocumentStore
from hub.kernel.errors import Conflict, Forbidden, InvalidPayload, NotFound, PreconditionFailed
from hub.kernel.ids import ConnectionId, new_uuid, user_room
from tests.support.clock import FrozenClock
from tests.support.collab import Accounts, RoleAccess, person
from tests.support.rooms import RecordedRooms


@pytest.fixture
def store(pool: asyncpg.Pool) -> PostgresDocumentStore:
    return PostgresDocumentStore(pool)


@pytest.fixture
def rooms() -> RecordedRooms:
    return RecordedRooms()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def access(store: PostgresDocumentStore) -> RoleAccess:
    return RoleAccess(store)


@pytest.fixture
def accounts() -> Accounts:
    return Accounts()


@pytest.fixture
def service(
    store: PostgresDocumentStore, access: RoleAccess, accounts: Accounts, rooms: RecordedRooms, clock: FrozenClock
) -> DocumentService:
    return DocumentService(store, access, accounts, rooms, clock, CollabSettings(members=2))


async def test_a_private_document_exists_for_its_owner_only(service: DocumentService) -> None:
    ana, bo = person(), person()
    created = await service.create(ana, NewDocument(title="Plan"))
    assert await service.read(ana, created.id) == created
    assert (created.role, created.version, created.members) == ("owner", 1, [])
    with pytest.raises(NotFound):
        await service.read(bo, created.id)


async def test_everybody_signed_in_may_read_a_public_document(
    service: DocumentService, store: PostgresDocumentStore, access: RoleAccess
) -> None:
    document = await service.create(person(), NewDocument(title="Plan", visibility="public"))
    assert (await service.read(person(), document.id)).role == "viewer"
    roles = DocumentRoles(store, access)
    assert await roles.role(None, document.id) is None
    assert await roles.role(new_uuid(), "no-uuid") is None


async def test_the_list_has_own_and_shared_documents_without_skipping_or_repeating(
    service: DocumentService, clock: FrozenClock
) -> None:
    ana, bo = person(), person()
    ids = []
    for number in range(5):
        owner = ana if number % 2 else bo
        document = await service.create(owner, NewDocument(title=str(number)))
        if owner is bo:
            await service.add_member(bo, document.id, NewMember(user_id=ana.user_id, role="viewer"))
        ids.append(document.id)
        clock.advance(number % 2)
    await service.create(bo, NewDocument(title="not shared"))
    found: list[str] = []
    query: DocumentQuery | None = DocumentQuery(limit=2)
    while query is not None:
        page = await service.list(ana, query)
        found += [view.id for view in page.data]
        cursor = page.page_info.next_cursor
        query = DocumentQuery(limit=2, cursor=cursor) if cursor else None
    assert len(found) == 5
    assert set(found) == set(ids)


async def test_a_forged_cursor_is_refused(service: DocumentService) -> None:
    for cursor in ("x", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsICJ4Il0"):
        with pytest.raises(InvalidPayload):
            await service.list(person(), DocumentQuery(cursor=cursor))


async def test_a_change_of_another_version_is_refused(service: DocumentService) -> None:
    ana = person()
    document = await service.create(ana, NewDocument(title="Plan"))
    changed = await service.change(ana, document.id, DocumentChanges(title="New"), 1)
    assert (changed.title, changed.visibility, changed.version) == ("New", "private", 2)
    with pytest.raises(PreconditionFailed):
        await service.change(ana, document.id, DocumentChanges(title="Late"), 1)
    with pytest.raises(PreconditionFailed):
        await service.delete(ana, document.id, 1)


async def test_an_editor_changes_the_title_but_neither_visibility_nor_members(service: DocumentService) -> None:
    ana, bo = person(), person()
    document = await service.create(ana, NewDocument(title="Plan"))
    await service.add_member(ana, document.id, NewMember(user_id=bo.user_id, role="editor"))
    assert (await service.change(bo, document.id, DocumentChanges(title="New"), None)).title == "New"
    with pytest.raises(Forbidden):
        await service.change(bo, document.id, DocumentChanges(visibility="public"), None)
    with pytest.raises(Forbidden):
        await service.add_member(bo, document.id, NewMember(user_id=new_uuid(), role="editor"))
    with pytest.raises(Forbidden):
        await service.delete(bo, document.id, None)


async def test_sharing_twice_is_harmless_and_changes_the_version_once(service: DocumentService) -> None:
    ana, bo = person(), person()
    document = await service.create(ana, NewDocument(title="Plan"))
    new = NewMember(user_id=bo.user_id, role="viewer")
    assert await service.add_member(ana, document.id, new) == await service.add_member(ana, document.id, new)
    assert (await service.read(ana, document.id)).version == 2
    with pytest.raises(Conflict):
        await service.add_member(ana, document.id, NewMember(user_id=bo.user_id, role="editor"))
    await service.add_member(ana, document.id, NewMember(user_id=new_uuid(), role="viewer"))
    with pytest.raises(Conflict):  # the limit
        await service.add_member(ana, document.id, NewMember(user_id=new_uuid(), role="viewer"))
    with pytest.raises(Conflict):  # the owner
        await service.add_member(ana, document.id, NewMember(user_id=ana.user_id, role="viewer"))


async def test_nothing_is_shared_with_somebody_who_is_not_there_or_has_a_block_with_the_owner(
    service: DocumentService, access: RoleAccess, accounts: Accounts
) -> None:
    ana, nobody, mallory = person(), person(), person()
    document = await service.create(ana, NewDocument(title="Plan"))
    accounts.absent.add(nobody.user_id)
    access.blocks.add(frozenset((ana.user_id, mallory.user_id)))
    answers = set()
    for other in (nobody, mallory):
        with pytest.raises(NotFound) as caught:
            await service.add_member(ana, document.id, NewMember(user_id=other.user_id, role="viewer"))
        answers.add(caught.value.message)
    assert len(answers) == 1
    assert (await service.read(ana, document.id)).members == []


async def test_a_public_document_does_not_exist_for_who_has_a_block_with_its_owner(
    service: DocumentService, access: RoleAccess
) -> None:
    ana, bo, member = person(), person(), person()
    document = await service.create(ana, NewDocument(title="Plan", visibility="public"))
    await service.add_member(ana, document.id, NewMember(user_id=member.user_id, role="editor"))
    access.blocks |= {frozenset((ana.user_id, other.user_id)) for other in (bo, member)}
    with pytest.raises(NotFound):
        await service.read(bo, document.id)
    assert (await service.read(member, document.id)).role == "editor"
    assert (await service.read(ana, document.id)).role == "owner"


async def test_a_removed_member_is_put_out_and_sees_nothing(service: DocumentService, rooms: RecordedRooms) -> None:
    ana, bo = person(), person()
    document = await service.create(ana, NewDocument(title="Plan"))
    await service.add_member(ana, document.id, NewMember(user_id=bo.user_id, role="editor"))
    connection, room = ConnectionId("c"), document_room(document.id)
    await rooms.join(connection, room)
    await rooms.join(connection, user_room(bo.user_id))
    await service.remove_member(ana, document.id, bo.user_id)
    assert not rooms.is_member(connection, room)
    with pytest.raises(NotFound):
        await service.read(bo, document.id)
    with pytest.raises(NotFound):
        await service.remove_member(ana, document.id, bo.user_id)
    with pytest.raises(NotFound):
        await service.change_member(ana, document.id, bo.user_id, "viewer")


async def test_a_deleted_document_is_gone_for_all_and_closed(service: DocumentService, rooms: RecordedRooms) -> None:
    ana = person()
    document = await service.create(ana, NewDocument(title="Plan", visibility="public"))
    await rooms.join(ConnectionId("c"), document_room(document.id))
    await service.delete(ana, document.id, None)
    assert not rooms.members[document_room(document.id)]
    with pytest.raises(NotFound):
        await service.read(ana, document.id)
    assert (await service.list(ana, DocumentQuery())).data == []

"""Deleting documents with grace, and giving them away, over real PostgreSQL."""

import asyncio

import asyncpg
import pytest

from collab.removal import Removal
from collab.schema import DocumentQuery, NewDocument, NewMember
from collab.service import DocumentService
from collab.settings import CollabSettings
from collab.store_postgres import PostgresDocumentStore
from hub.kernel.errors import Conflict, Forbidden, NotFound
from tests.support.clock import FrozenClock
from tests.support.collab import Accounts, RoleAccess, person
from tests.support.rooms import RecordedRooms

DAY = 86_400
SETTINGS = CollabSettings(deleted_days=2)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def store(pool: asyncpg.Pool) -> PostgresDocumentStore:
    return PostgresDocumentStore(pool)


@pytest.fixture
def accounts() -> Accounts:
    return Accounts()


@pytest.fixture
def service(store: PostgresDocumentStore, accounts: Accounts, clock: FrozenClock) -> DocumentService:
    return DocumentService(store, RoleAccess(store), accounts, RecordedRooms(), clock, SETTINGS)


async def test_the_owner_takes_a_deletion_back_with_members_and_all(service: DocumentService) -> None:
    ana, bo = person(), person()
    document = await service.create(ana, NewDocument(title="Plan"))
    await service.add_member(ana, document.id, NewMember(user_id=bo.user_id, role="editor"))
    await service.delete(ana, document.id, None)
    with pytest.raises(NotFound):
        await service.undelete(bo, document.id)
    back = await service.undelete(ana, document.id)
    assert (back.title, [one.user_id for one in back.members or []]) == ("Plan", [bo.user_id])
    assert (await service.read(bo, document.id)).role == "editor"
    with pytest.raises(NotFound):  # it is there, and so is no deletion to take back
        await service.undelete(ana, document.id)


async def test_the_list_of_deleted_documents_is_the_owners_and_says_when_each_is_gone(
    service: DocumentService, clock: FrozenClock
) -> None:
    ana, bo = person(), person()
    ids = []
    for _ in range(3):
        document = await service.create(ana, NewDocument(title="Plan"))
        await service.add_member(ana, document.id, NewMember(user_id=bo.user_id, role="viewer"))
        await service.delete(ana, document.id, None)
        ids.append(document.id)
        clock.advance(DAY - 1)
    first = await service.list(ana, DocumentQuery(deleted=True, limit=1))
    second = await service.list(ana, DocumentQuery(deleted=True, limit=1, cursor=first.page_info.next_cursor))
    assert [one.id for one in first.data + second.data] == [ids[2], ids[1]]  # the first is past its time
    assert not second.page_info.has_next
    assert [str(one.removed_at - clock.now()) for one in first.data] == ["1 day, 0:00:01"]  # type: ignore[operator]
    assert (await service.list(bo, DocumentQuery(deleted=True))).data == []
    assert (await service.list(ana, DocumentQuery())).data == []


async def test_what_is_past_its_time_is_removed_with_its_log_by_one_of_many_at_once(
    service: DocumentService, store: PostgresDocumentStore, clock: FrozenClock, pool: asyncpg.Pool
) -> None:
    ana = person()
    kept, late, gone = [await service.create(ana, NewDocument(title=title)) for title in ("kept", "late", "gone")]
    for document in (kept, late, gone):
        await pool.execute(
            "INSERT INTO collab_update (document_id, stream, number, data) VALUES ($1, 1, 1, '\\x')", document.id
        )
        await pool.execute(
            "INSERT INTO collab_snapshot (document_id, state, streams, numbers) VALUES ($1, '\\x0000', '{}', '{}')",
            document.id,
        )
    await service.delete(ana, gone.id, None)
    clock.advance(DAY)
    await service.delete(ana, late.id, None)
    removal = Removal(store, clock, SETTINGS)
    assert await removal.remove() == 0
    clock.advance(DAY + 1)
    assert sum(await asyncio.gather(*(removal.remove() for _ in range(3)))) == 1
    for table, column in (("documents", "id"), ("collab_update", "document_id"), ("collab_snapshot", "document_id")):
        left = await pool.fetch(f"SELECT {column}::text FROM {table}")
        assert {row[0] for row in left} == {kept.id, late.id}, table
    with pytest.raises(NotFound):
        await service.undelete(ana, gone.id)
    assert (await service.undelete(ana, late.id)).id == late.id


async def test_a_deletion_cannot_be_taken_back_after_its_time_even_if_nothing_was_removed(
    service: DocumentService, clock: FrozenClock
) -> None:
    ana = person()
    document = await service.create(ana, NewDocument(title="Plan"))
    await service.delete(ana, document.id, None)
    clock.advance(2 * DAY)
    with pytest.raises(NotFound):
        await service.undelete(ana, document.id)


def test_no_document_is_removed_within_the_hour() -> None:
    assert CollabSettings(deleted_days=0).grace.total_seconds() == 3600


async def test_a_document_is_given_to_a_member_and_its_owner_becomes_an_editor(service: DocumentService) -> None:
    ana, bo = person(), person()
    document = await service.create(ana, NewDocument(title="Plan"))
    await service.add_member(ana, document.id, NewMember(user_id=bo.user_id, role="viewer"))
    with pytest.raises(Forbidden):
        await service.transfer(bo, document.id, bo.user_id)
    assert (await service.transfer(ana, document.id, bo.user_id)).role == "editor"
    view = await service.read(bo, document.id)
    assert (view.role, view.owner_id) == ("owner", bo.user_id)
    assert [(one.user_id, one.role) for one in view.members or []] == [(ana.user_id, "editor")]
    with pytest.raises(Forbidden):
        await service.delete(ana, document.id, None)


async def test_nobody_but_a_member_with_an_account_becomes_the_owner(
    service: DocumentService, accounts: Accounts
) -> None:
    ana, bo = person(), person()
    document = await service.create(ana, NewDocument(title="Plan"))
    for other in (bo.user_id, ana.user_id):
        with pytest.raises(Conflict):
            await service.transfer(ana, document.id, other)
    await service.add_member(ana, document.id, NewMember(user_id=bo.user_id, role="editor"))
    accounts.absent.add(bo.user_id)
    with pytest.raises(Conflict):
        await service.transfer(ana, document.id, bo.user_id)
    assert (await service.read(ana, document.id)).role == "owner"

"""Links that share documents, over real PostgreSQL: who may make one, whom it makes what, and when it ends."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from collab.schema import DocumentView, NewDocument, NewMember
from collab.service import DocumentService
from collab.settings import CollabSettings
from collab.sharing.schema import JoinByLink, LinkView, NewLink
from collab.sharing.service import Links
from collab.sharing.store_postgres import PostgresLinkStore
from collab.store_postgres import PostgresDocumentStore
from core_api import outbox
from hub.kernel.errors import Conflict, Forbidden, InvalidPayload, NotFound
from hub.kernel.pages import PageQuery
from tests.support.clock import FrozenClock
from tests.support.collab import Accounts, RoleAccess, person
from tests.support.rooms import RecordedRooms

SETTINGS = CollabSettings(members=3, links=2)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def access(pool: asyncpg.Pool) -> RoleAccess:
    return RoleAccess(PostgresDocumentStore(pool))


@pytest.fixture
def documents(pool: asyncpg.Pool, access: RoleAccess, clock: FrozenClock) -> DocumentService:
    return DocumentService(PostgresDocumentStore(pool), access, Accounts(), RecordedRooms(), clock, SETTINGS)


@pytest.fixture
def links(pool: asyncpg.Pool, documents: DocumentService, access: RoleAccess, clock: FrozenClock) -> Links:
    return Links(PostgresLinkStore(pool, outbox.append), documents, access, clock, SETTINGS)


ANA = person()


@pytest.fixture
async def document(documents: DocumentService) -> DocumentView:
    return await documents.create(ANA, NewDocument(title="Plan"))


async def test_whoever_has_a_link_becomes_a_member_of_its_role_once(
    links: Links, documents: DocumentService, document: DocumentView
) -> None:
    bo = person()
    _, secret = await links.create(ANA, document.id, NewLink(role="commenter"))
    assert (await links.join(bo, secret)).role == "commenter"
    assert (await links.join(bo, secret)).version == 2
    assert [(m.user_id, m.role) for m in (await documents.read(ANA, document.id)).members or []] == [
        (bo.user_id, "commenter")
    ]
    assert [view.joined for view in (await links.list(ANA, document.id, PageQuery())).data] == [1]


async def test_a_link_raises_a_role_and_never_lowers_one(
    links: Links, documents: DocumentService, document: DocumentView
) -> None:
    bo = person()
    secrets = {role: (await links.create(ANA, document.id, NewLink(role=role)))[1] for role in ("viewer", "editor")}
    assert (await links.join(bo, secrets["viewer"])).role == "viewer"
    assert (await links.join(bo, secrets["editor"])).role == "editor"
    assert (await links.join(bo, secrets["viewer"])).role == "editor"
    assert (await links.join(ANA, secrets["viewer"])).role == "owner"
    assert len((await documents.read(ANA, document.id)).members or []) == 1


async def test_only_the_owner_makes_sees_and_revokes_links(
    links: Links, documents: DocumentService, document: DocumentView
) -> None:
    bo, stranger = person(), person()
    await documents.add_member(ANA, document.id, NewMember(user_id=bo.user_id, role="editor"))
    view, _ = await links.create(ANA, document.id, NewLink(role="viewer"))
    for actor, refusal in ((bo, Forbidden), (stranger, NotFound)):
        with pytest.raises(refusal):
            await links.create(actor, document.id, NewLink(role="viewer"))
        with pytest.raises(refusal):
            await links.list(actor, document.id, PageQuery())
        with pytest.raises(refusal):
            await links.revoke(actor, document.id, view.id)


async def test_a_link_that_ended_is_told_from_one_that_never_was_by_nobody(
    links: Links, documents: DocumentService, document: DocumentView, clock: FrozenClock, access: RoleAccess
) -> None:
    bo, mallory = person(), person()
    access.blocks.add(frozenset((ANA.user_id, mallory.user_id)))
    soon = clock.now() + timedelta(minutes=1)
    _, expiring = await links.create(ANA, document.id, NewLink(role="viewer", expires_at=soon))
    revoked, secret = await links.create(ANA, document.id, NewLink(role="viewer"))
    answers = []

    async def refused(actor_secret: str, actor=bo) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(NotFound) as caught:
            await links.join(actor, actor_secret)
        answers.append(caught.value.message)

    await refused("A" * 43)
    await refused(secret, mallory)
    await links.revoke(ANA, document.id, revoked.id)
    await refused(secret)
    clock.advance(60)
    await refused(expiring)
    _, third = await links.create(ANA, document.id, NewLink(role="viewer"))
    await documents.delete(ANA, document.id, None)
    await refused(third)
    assert len(set(answers)) == 1
    with pytest.raises(NotFound):
        await links.revoke(ANA, document.id, revoked.id)


async def test_links_are_bounded_and_expired_ones_make_room(
    links: Links, document: DocumentView, clock: FrozenClock
) -> None:
    soon = clock.now() + timedelta(minutes=1)
    for _ in range(2):
        await links.create(ANA, document.id, NewLink(role="viewer", expires_at=soon))
    with pytest.raises(Conflict):
        await links.create(ANA, document.id, NewLink(role="viewer"))
    clock.advance(61)
    await links.create(ANA, document.id, NewLink(role="viewer"))
    assert len((await links.list(ANA, document.id, PageQuery())).data) == 1


@pytest.mark.parametrize("days", [-1, 0, 367])
async def test_an_end_that_is_past_or_far_away_is_refused(
    links: Links, document: DocumentView, clock: FrozenClock, days: int
) -> None:
    with pytest.raises(InvalidPayload) as caught:
        await links.create(ANA, document.id, NewLink(role="viewer", expires_at=clock.now() + timedelta(days=days)))
    assert caught.value.details["errors"][0]["pointer"] == "/expiresAt"


async def test_many_who_join_at_once_do_not_pass_the_limit_of_members(
    links: Links, documents: DocumentService, document: DocumentView
) -> None:
    _, secret = await links.create(ANA, document.id, NewLink(role="viewer"))
    results = await asyncio.gather(*(links.join(person(), secret) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, DocumentView) for one in results) == 3
    assert {type(one) for one in results} == {DocumentView, Conflict}
    assert len((await documents.read(ANA, document.id)).members or []) == 3


async def test_the_database_and_what_is_logged_hold_no_secret(
    links: Links, document: DocumentView, pool: asyncpg.Pool
) -> None:
    view, secret = await links.create(ANA, document.id, NewLink(role="viewer"))
    rows = await pool.fetch("SELECT l::text AS whole, encode(secret_hash, 'escape') AS hash FROM document_link l")
    assert len(rows) == 1
    shown = LinkView(**{name: getattr(view, name) for name in LinkView.__struct_fields__ if name != "secret"})
    shown.secret = secret
    for text in (rows[0]["whole"], rows[0]["hash"], repr(shown), repr(JoinByLink(secret=secret))):
        assert secret not in text


async def test_the_list_of_links_neither_skips_nor_repeats(
    pool: asyncpg.Pool, documents: DocumentService, access: RoleAccess, clock: FrozenClock, document: DocumentView
) -> None:
    links = Links(PostgresLinkStore(pool, outbox.append), documents, access, clock, CollabSettings())
    made = [(await links.create(ANA, document.id, NewLink(role="viewer")))[0].id for _ in range(5)]
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await links.list(ANA, document.id, PageQuery(limit=2, cursor=cursor))
        found += [view.id for view in page.data]
        cursor = page.page_info.next_cursor
        if cursor is None:
            break
    assert sorted(found) == sorted(made)

"""The roles of a person on many resources at once are those on each, for every owner of resources, on PostgreSQL."""

from itertools import product

import asyncpg
import pytest

from collab.model import Member
from collab.service import DocumentRoles
from collab.store_postgres import PostgresDocumentStore
from core_api.accounts.access import AccessRule
from core_api.accounts.store_postgres_people import PostgresPeople
from core_api.content.roles import ContentRoles
from core_api.content.store_postgres import PostgresPosts
from core_api.rooms.roles import RoomRoles
from core_api.rooms.store_postgres import PostgresRooms
from hub.kernel.clock import from_ms
from hub.kernel.ids import UserId, new_uuid
from hub.kernel.ports import Roles
from tests.support.accounts import accounts_stack
from tests.support.queries import recorded

NOW = from_ms(1_800_000_000_000)


POST = """
INSERT INTO post (id, slug, author_id, title, content, tags, status, reading_minutes, published_at, created_at,
    updated_at)
VALUES ($1, $1::uuid::text, $2, 'A title', '{}', '{}', $3, 1, $4, $4, $4)
"""


async def make(pool: asyncpg.Pool, kind: str, owner: UserId, member: UserId) -> list[str]:
    """One resource of each visibility that `owner` has alone, and one that `member` was given a role on."""
    made = []
    for visibility, is_shared in product(("public", "private"), (False, owner != member)):
        resource_id = new_uuid()
        made.append(resource_id)
        if kind == "room":
            rooms = PostgresRooms(pool)
            await rooms.create(resource_id, "Commons", "public" if visibility == "public" else "private", owner, NOW)
            if is_shared:
                await rooms.add_member(resource_id, member, NOW)
        elif kind == "document":
            documents = PostgresDocumentStore(pool)
            await documents.create(resource_id, "Minutes", owner, visibility, NOW)
            if is_shared:
                await documents.add_member(resource_id, Member(member, "editor"), 10, NOW)
        else:
            await pool.execute(POST, resource_id, owner, "PUBLISHED" if visibility == "public" else "DRAFT", NOW)
    return made


def roles_of(pool: asyncpg.Pool, kind: str) -> Roles:
    access = AccessRule({}, PostgresPeople(pool))
    match kind:
        case "room":
            return RoomRoles(PostgresRooms(pool), access)
        case "document":
            return DocumentRoles(PostgresDocumentStore(pool), access)
        case _:
            return ContentRoles(PostgresPosts(pool), access)


@pytest.mark.parametrize("kind", ["room", "document", "content"])
async def test_roles_on_many_are_the_roles_on_each(kind: str, pool: asyncpg.Pool, database_url: str) -> None:
    async with accounts_stack(database_url) as stack:
        ada, bob, eve = [UserId((await stack.person(name)).user_id) for name in ("ada", "bob", "eve")]
        await stack.people_store.block(eve, bob, NOW)
    resources = [one for owner in (ada, bob, eve) for one in await make(pool, kind, owner, member=bob)]
    roles, unknown, seen = roles_of(pool, kind), new_uuid(), set()
    for person in (ada, bob, eve):
        each = {one: await roles.role(person, one) for one in [*resources, unknown]}
        assert await roles.roles(person, {*resources, unknown}) == {k: v for k, v in each.items() if v is not None}
        seen |= set(each.values())
    assert {None, "owner"} < seen, "or little was compared"
    assert await roles.roles(ada, set()) == {}


async def test_the_roles_of_many_people_on_many_documents_are_those_of_each_by_two_queries(
    pool: asyncpg.Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with accounts_stack(database_url) as stack:
        people = [UserId((await stack.person(name)).user_id) for name in ("ada", "bob", "eve")]
        await stack.people_store.block(people[2], people[1], NOW)
    documents = [one for owner in people for one in await make(pool, "document", owner, member=people[1])]
    roles = DocumentRoles(PostgresDocumentStore(pool), AccessRule({}, PostgresPeople(pool)))
    pairs = set(product([*documents, new_uuid()], people))
    each = {pair: await roles.role(pair[1], pair[0]) for pair in pairs}
    assert {None, "owner", "editor", "viewer"} == set(each.values()), "or little was compared"
    queries = recorded(monkeypatch)
    assert await roles.roles_among(pairs) == {pair: role for pair, role in each.items() if role is not None}
    assert len(queries()) == 2
    assert await roles.roles_among(set()) == {}
    assert not queries()

"""Profiles, follows and blocks: the service and its REST declarations on a real PostgreSQL."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from core_api.accounts.directory import Directory
from core_api.accounts.directory_postgres import PostgresDirectory
from core_api.accounts.people import People
from core_api.accounts.routes import accounts_api, people_api
from core_api.accounts.schema import PersonQuery, ProfileChanges
from core_api.accounts.store import NEW_BLOCK
from core_api.accounts.views import user_view
from hub.kernel.errors import Conflict, Forbidden, HubError, NotFound, PreconditionFailed, Unavailable
from hub.kernel.events import Actor
from hub.kernel.http import Handler, RestApi
from hub.kernel.ids import UserId, new_uuid
from hub.kernel.pages import PageQuery
from tests.support.accounts import AccountsStack, accounts_stack


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[AccountsStack]:
    async with accounts_stack(database_url) as stack:
        yield stack


async def error_of(awaitable: Awaitable[Any]) -> HubError:
    with pytest.raises(HubError) as raised:
        await awaitable
    return raised.value


async def followers(hub: AccountsStack, user_id: UserId, viewer: Actor | None) -> list[str]:
    return [brief.username for brief in (await hub.people.followers(user_id, viewer, PageQuery())).data]


def people_routes(hub: AccountsStack) -> RestApi:
    return people_api(hub.people, Directory(hub.people, PostgresDirectory(hub.pool)))


def handlers(hub: AccountsStack) -> dict[tuple[str, str], Handler]:
    return {(one.method, one.path): one.handler for one in people_routes(hub).endpoints}


async def test_only_the_owner_sees_their_address(hub: AccountsStack) -> None:
    ada, bob = await hub.person("ada"), await hub.person("bob")
    account = await hub.people.profile(ada.user_id, bob)
    assert user_view(account, ada).email == "ada@example.org"
    for viewer in (bob, None):
        view = user_view(account, viewer)
        assert (view.email, view.role) == (UNSET, UNSET)
        assert "example.org" not in msgspec.json.encode(view).decode()


async def test_nobody_is_absent_who_is_there_and_everybody_else_is(hub: AccountsStack) -> None:
    ada = await hub.person("ada")
    assert (await hub.people.profile(ada.user_id, None)).username == "ada"
    assert isinstance(await error_of(hub.people.profile(UserId(new_uuid()), ada)), NotFound)


async def test_a_profile_is_changed_by_its_owner_at_the_version_they_read(hub: AccountsStack) -> None:
    ada, bob = await hub.person("ada"), await hub.person("bob")
    named = ProfileChanges(display_name="Ada L.")
    changed = await hub.people.change_profile(ada.user_id, named, ada, 1)
    assert (changed.display_name, changed.version) == ("Ada L.", 2)
    stale = hub.people.change_profile(ada.user_id, ProfileChanges(bio="late"), ada, 1)
    assert isinstance(await error_of(stale), PreconditionFailed)
    far = hub.people.change_profile(ada.user_id, named, ada, 10**30)
    assert isinstance(await error_of(far), PreconditionFailed)
    assert isinstance(await error_of(hub.people.change_profile(ada.user_id, named, bob, None)), Forbidden)
    assert isinstance(await error_of(hub.people.change_profile(UserId(new_uuid()), named, bob, None)), NotFound)
    assert await hub.people.profile(ada.user_id, None) == changed


async def test_a_change_of_nothing_changes_nothing(hub: AccountsStack) -> None:
    ada = await hub.person("ada")
    assert (await hub.people.change_profile(ada.user_id, ProfileChanges(), ada, 1)).version == 1
    stale = hub.people.change_profile(ada.user_id, ProfileChanges(), ada, 2)
    assert isinstance(await error_of(stale), PreconditionFailed)


async def test_following_shows_in_both_lists(hub: AccountsStack) -> None:
    ada, bob = await hub.person("ada"), await hub.person("bob")
    await hub.people.follow(bob.user_id, ada)
    await hub.people.follow(bob.user_id, ada)
    assert await followers(hub, bob.user_id, None) == ["ada"]
    following = await hub.people.following(ada.user_id, None, PageQuery())
    assert [brief.username for brief in following.data] == ["bob"]
    await hub.people.unfollow(bob.user_id, ada)
    await hub.people.unfollow(bob.user_id, ada)
    assert await followers(hub, bob.user_id, None) == []


async def test_nobody_follows_or_blocks_themselves_or_somebody_unknown(hub: AccountsStack) -> None:
    ada = await hub.person("ada")
    for act in (hub.people.follow, hub.people.block):
        assert isinstance(await error_of(act(ada.user_id, ada)), Forbidden)
        assert isinstance(await error_of(act(UserId(new_uuid()), ada)), NotFound)


async def test_somebody_blocked_sees_the_same_as_for_somebody_unknown(hub: AccountsStack) -> None:
    ada, mallory = await hub.person("ada"), await hub.person("mallory")
    await hub.people.follow(ada.user_id, mallory)
    await hub.people.follow(mallory.user_id, ada)
    await hub.people.block(mallory.user_id, ada)
    await hub.people.block(mallory.user_id, ada)

    def attempts(target: UserId) -> list[Awaitable[Any]]:
        return [
            hub.people.profile(target, mallory),
            hub.people.follow(target, mallory),
            hub.people.block(target, mallory),
            hub.people.followers(target, mallory, PageQuery()),
            hub.people.following(target, mallory, PageQuery()),
            hub.people.change_profile(target, ProfileChanges(), mallory, None),
        ]

    for hidden, unknown in zip(attempts(ada.user_id), attempts(UserId(new_uuid())), strict=True):
        assert (await error_of(hidden)).to_wire() == (await error_of(unknown)).to_wire()
    assert await followers(hub, mallory.user_id, ada) == []
    assert await hub.people_store.blocked(mallory.user_id, ada.user_id)


async def test_a_block_separates_at_once_and_again_when_the_outbox_tells_of_it_unless_it_was_taken_back(
    hub: AccountsStack,
) -> None:
    separated: list[tuple[UserId, UserId]] = []

    async def separate(one: UserId, other: UserId) -> None:
        separated.append((one, other))
        if len(separated) == 1:
            raise Unavailable  # the block stands all the same, and the relay sees to the rest

    people = People(hub.people_store, hub.clock, separate=separate)
    ada, bob = await hub.person("ada"), await hub.person("bob")
    told = people.sinks()[NEW_BLOCK]
    await people.block(bob.user_id, ada)
    await told({"blockerId": ada.user_id, "blockedId": bob.user_id})
    assert separated == [(ada.user_id, bob.user_id)] * 2
    await people.unblock(bob.user_id, ada)
    await told({"blockerId": ada.user_id, "blockedId": bob.user_id})
    assert len(separated) == 2


async def test_who_blocks_still_sees_the_other_but_must_unblock_before_following(hub: AccountsStack) -> None:
    ada, mallory = await hub.person("ada"), await hub.person("mallory")
    await hub.people.block(mallory.user_id, ada)
    assert (await hub.people.profile(mallory.user_id, ada)).username == "mallory"
    assert isinstance(await error_of(hub.people.follow(mallory.user_id, ada)), Conflict)
    await hub.people.unblock(mallory.user_id, ada)
    await hub.people.follow(mallory.user_id, ada)
    assert await followers(hub, mallory.user_id, mallory) == ["ada"]


async def test_third_parties_lists_hide_the_two_from_each_other(hub: AccountsStack) -> None:
    star, ada, mallory = [await hub.person(name) for name in ("star", "ada", "mallory")]
    for fan in (ada, mallory):
        await hub.people.follow(star.user_id, fan)
    await hub.people.block(mallory.user_id, ada)
    assert await followers(hub, star.user_id, ada) == ["ada"]
    assert await followers(hub, star.user_id, mallory) == ["mallory"]
    assert await followers(hub, star.user_id, None) == ["mallory", "ada"]


async def test_lists_come_in_pages(hub: AccountsStack) -> None:
    star = await hub.person("star")
    for name in ("aaa", "bbb", "ccc"):
        await hub.people.follow(star.user_id, await hub.person(name))
    first = await hub.people.followers(star.user_id, None, PageQuery(limit=2))
    second = await hub.people.followers(star.user_id, None, PageQuery(limit=2, cursor=first.page_info.next_cursor))
    assert [brief.username for brief in (*first.data, *second.data)] == ["ccc", "bbb", "aaa"]
    assert not second.page_info.has_next


async def test_the_rest_interface_is_the_one_of_the_contract(hub: AccountsStack) -> None:
    endpoints = [*accounts_api(hub.accounts).endpoints, *people_routes(hub).endpoints]
    assert {(one.method, one.path, one.status, one.caller) for one in endpoints} == {
        ("POST", "/auth/signup", 201, "none"),
        ("POST", "/auth/signin", 200, "none"),
        ("POST", "/auth/refresh", 200, "none"),
        ("POST", "/auth/logout", 204, "required"),
        ("GET", "/auth/sessions", 200, "required"),
        ("DELETE", "/auth/sessions/{sessionId}", 204, "required"),
        ("GET", "/users", 200, "optional"),
        ("GET", "/users/me", 200, "required"),
        ("GET", "/users/{userId}", 200, "optional"),
        ("PUT", "/users/{userId}", 200, "required"),
        ("PATCH", "/users/{userId}", 200, "required"),
        ("POST", "/users/{userId}/follow", 204, "required"),
        ("DELETE", "/users/{userId}/follow", 204, "required"),
        ("POST", "/users/{userId}/block", 204, "required"),
        ("DELETE", "/users/{userId}/block", 204, "required"),
        ("GET", "/users/{userId}/followers", 200, "optional"),
        ("GET", "/users/{userId}/following", 200, "optional"),
    }
    assert all(one.summary.endswith(".") for one in endpoints)


async def test_the_answers_of_the_routes_carry_version_and_place(hub: AccountsStack) -> None:
    ada = await hub.person("ada")
    routes = handlers(hub)
    read = await routes["GET", "/users/{userId}"](user_id=ada.user_id, actor=ada)
    me = await routes["GET", "/users/me"](actor=ada)
    changed = await routes["PATCH", "/users/{userId}"](
        user_id=ada.user_id, body=ProfileChanges(bio="Numbers"), actor=ada, if_match=read.version
    )
    assert (read, read.version, changed.version) == (me, 1, 2)
    assert changed.body.bio == "Numbers"


async def test_a_person_is_found_by_the_whole_name_in_whatever_case(hub: AccountsStack) -> None:
    find, ada = handlers(hub)["GET", "/users"], await hub.person("Ada_L")
    for viewer in (ada, await hub.person("bob"), None):
        page = await find(query=PersonQuery(username="aDA_l"), actor=viewer)
        assert [one.username for one in page.data] == ["Ada_L"]
        assert (page.data[0].email is UNSET) == (viewer is not ada)
        assert (page.page_info.next_cursor, page.page_info.has_next) == (None, False)
    for other in ("Ada", "Ada_L_", "AdaXL", "bobo"):  # neither a part nor a pattern
        assert (await find(query=PersonQuery(username=other), actor=ada)).data == []


async def test_who_is_blocked_finds_nobody_of_that_name(hub: AccountsStack) -> None:
    find, ada, mallory = handlers(hub)["GET", "/users"], await hub.person("ada"), await hub.person("mallory")
    await hub.people.block(mallory.user_id, ada)
    hidden = await find(query=PersonQuery(username="ada"), actor=mallory)
    assert hidden == await find(query=PersonQuery(username="nobody"), actor=mallory)
    assert [one.username for one in (await find(query=PersonQuery(username="mallory"), actor=ada)).data] == ["mallory"]
    await hub.pool.execute("UPDATE account_user SET deleted_at = now() WHERE id = $1", mallory.user_id)
    assert (await find(query=PersonQuery(username="mallory"), actor=ada)).data == []

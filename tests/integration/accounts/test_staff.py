"""Roles and suspensions: what the staff does, and what a person with tokens meets then."""

from collections.abc import AsyncIterator

import pytest

from core_api.accounts.schema import Refresh, SignedIn
from hub.kernel.errors import NotFound, Suspended, TokenExpired, Unauthorized, Unavailable
from hub.kernel.ids import UserId, new_uuid
from tests.support.accounts import AccountsStack, accounts_stack, user_id_of


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[AccountsStack]:
    async with accounts_stack(database_url) as stack:
        yield stack


async def suspend(hub: AccountsStack, signed_in: SignedIn) -> None:
    await hub.staff.suspend(user_id_of(signed_in), "spam")
    await hub.tell_of_suspension(user_id_of(signed_in))


async def test_staff_find_an_account_by_address_or_id_in_whatever_case(hub: AccountsStack) -> None:
    user_id = user_id_of(await hub.sign_up("ada"))
    for name in ("ADA@example.org", user_id, user_id.upper()):
        assert (await hub.staff.find(name)).id == user_id
    for name in ("bob@example.org", new_uuid(), "ada"):
        with pytest.raises(NotFound, match=name):
            await hub.staff.find(name)


async def test_a_role_is_granted_and_taken_back(hub: AccountsStack) -> None:
    actor = await hub.person("ada")
    assert await hub.staff.grant(actor.user_id, "admin")
    assert (await hub.people.profile(actor.user_id, actor)).role == "admin"
    assert await hub.staff.grant(actor.user_id, "user")
    assert not await hub.staff.grant(actor.user_id, "user")


async def test_a_suspended_person_can_neither_sign_in_nor_refresh_nor_go_on(hub: AccountsStack) -> None:
    first, second = await hub.sign_up("ada"), await hub.sign_in("ada")
    await suspend(hub, first)
    assert set(hub.revocations.revoked) == {hub.actor(first).session_id, hub.actor(second).session_id}
    assert hub.revocations.closed == [user_id_of(first)]
    with pytest.raises(Suspended):
        await hub.sign_in("ada")
    with pytest.raises(Suspended):
        await hub.accounts.refresh(Refresh(refresh_token=first.refresh_token))
    with pytest.raises(Suspended):
        await hub.authenticator.authenticate(second.access_token)
    with pytest.raises(Unauthorized):  # and who does not know the password learns nothing of it
        await hub.sign_in("ada", "wrong password")


async def test_a_suspension_is_told_until_the_revocation_is_written(hub: AccountsStack) -> None:
    first = await hub.sign_up("ada")
    hub.revocations.down = True
    with pytest.raises(Unavailable):  # for the relay of the outbox: later
        await suspend(hub, first)
    hub.revocations.down = False
    await hub.tell_of_suspension(user_id_of(first))
    assert set(hub.revocations.revoked) == {hub.actor(first).session_id}


async def test_a_token_signed_just_before_a_late_telling_is_refused_as_long_as_it_lives(hub: AccountsStack) -> None:
    first = await hub.sign_up("ada")
    await hub.staff.suspend(user_id_of(first), "spam")
    hub.clock.advance(hub.settings.access_token_s - 1)
    await hub.tell_of_suspension(user_id_of(first))
    with pytest.raises(Suspended):
        await hub.authenticator.authenticate(first.access_token)
    hub.clock.advance(1)
    with pytest.raises(TokenExpired):
        await hub.authenticator.authenticate(first.access_token)


async def test_a_suspension_is_lifted_for_new_sessions_only(hub: AccountsStack) -> None:
    first = await hub.sign_up("ada")
    await suspend(hub, first)
    assert await hub.staff.unsuspend(user_id_of(first))
    with pytest.raises(Unauthorized):
        await hub.accounts.refresh(Refresh(refresh_token=first.refresh_token))
    with pytest.raises(Unauthorized):
        await hub.authenticator.authenticate(first.access_token)
    assert (await hub.sign_in("ada")).user == first.user


async def test_who_signed_in_after_a_lifted_suspension_is_not_put_out_by_a_late_telling(hub: AccountsStack) -> None:
    first = await hub.sign_up("ada")
    await hub.staff.suspend(user_id_of(first), "spam")
    await hub.staff.unsuspend(user_id_of(first))
    again = await hub.sign_in("ada")
    await hub.tell_of_suspension(user_id_of(first))
    assert list(hub.revocations.revoked) == [hub.actor(first).session_id]
    assert hub.revocations.closed == []
    assert (await hub.authenticator.authenticate(again.access_token)).actor == hub.actor(again)


async def test_nothing_is_done_to_nobody(hub: AccountsStack) -> None:
    stranger = UserId(new_uuid())
    for attempt in (
        hub.staff.suspend(stranger, "spam"),
        hub.staff.unsuspend(stranger),
        hub.staff.grant(stranger, "admin"),
    ):
        with pytest.raises(NotFound):
            await attempt

"""Signing up, in and out, refreshing: the service on a real PostgreSQL, sometimes as several nodes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core_api.accounts.refresh import parse
from core_api.accounts.schema import Refresh, SignedIn, SignIn
from hub.kernel.errors import (
    Conflict,
    HubError,
    InvalidPayload,
    NotFound,
    Overloaded,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from hub.kernel.http import Client
from hub.kernel.ids import SessionId, new_uuid
from hub.kernel.pages import PageQuery
from tests.support.accounts import CLIENT, PASSWORD, AccountsStack, accounts_stack, sign_up_form


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[AccountsStack]:
    async with accounts_stack(database_url) as stack:
        yield stack


async def refresh(hub: AccountsStack, token: SignedIn | str) -> SignedIn:
    text = token if isinstance(token, str) else token.refresh_token
    return await hub.accounts.refresh(Refresh(refresh_token=text))


async def error_of(awaitable: Any) -> HubError:
    with pytest.raises(HubError) as raised:
        await awaitable
    return raised.value


async def test_signing_up_gives_a_session_that_works_and_shows_the_owner_their_address(hub: AccountsStack) -> None:
    signed_in = await hub.sign_up("Ada")
    assert (signed_in.user.username, signed_in.user.email, signed_in.user.role) == ("Ada", "Ada@example.org", "user")
    credentials = await hub.authenticator.authenticate(signed_in.access_token)
    assert credentials.actor.user_id == signed_in.user.id
    assert signed_in.access_token_expires_at.timestamp() * 1000 == credentials.expires_at_ms
    assert (await refresh(hub, signed_in)).user == signed_in.user


async def test_names_that_are_taken_are_told_both_at_once(hub: AccountsStack) -> None:
    await hub.sign_up("ada")
    error = await error_of(hub.accounts.sign_up(sign_up_form("ADA", email="ADA@EXAMPLE.ORG"), CLIENT))
    assert isinstance(error, Conflict)
    assert [entry["pointer"] for entry in error.details["errors"]] == ["/email", "/username"]


async def test_of_sign_ups_that_race_for_a_name_over_two_nodes_exactly_one_wins(hub: AccountsStack) -> None:
    nodes = [hub, hub.another_node()]
    forms = [sign_up_form("ada", email=f"{number}@example.org") for number in range(8)]
    answers = await asyncio.gather(
        *(nodes[number % 2].accounts.sign_up(form, CLIENT) for number, form in enumerate(forms)),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict"] * 7 + ["SignedIn"]
    nodes[1].passwords.close()


@pytest.mark.parametrize("name", ["admin", "Root", "SUPPORT"])
async def test_a_name_that_would_pass_for_the_operator_is_taken(hub: AccountsStack, name: str) -> None:
    assert isinstance(await error_of(hub.accounts.sign_up(sign_up_form(name), CLIENT)), Conflict)


async def test_a_common_password_is_refused_naming_the_field(hub: AccountsStack) -> None:
    error = await error_of(hub.accounts.sign_up(sign_up_form("ada", password="Password123"), CLIENT))
    assert isinstance(error, InvalidPayload)
    assert error.details["errors"][0]["pointer"] == "/password"


async def test_one_signs_in_by_address_or_name_in_any_case(hub: AccountsStack) -> None:
    await hub.sign_up("ada")
    assert (await hub.sign_in("ADA")).user.username == "ada"
    form = SignIn(email="Ada@Example.org", password=PASSWORD)
    assert (await hub.accounts.sign_in(form, CLIENT)).user.username == "ada"


async def test_a_wrong_password_and_an_unknown_account_cannot_be_told_apart(
    hub: AccountsStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hub.sign_up("ada")
    work: list[str] = []
    matches = hub.passwords._matches

    def recorded(stored: str, password: str) -> bool:
        work.append(stored.rsplit("$", 2)[0])
        return matches(stored, password)

    monkeypatch.setattr(hub.passwords, "_matches", recorded)
    wrong = await error_of(hub.sign_in("ada", "not the password"))
    unknown = await error_of(hub.sign_in("nobody", "not the password"))
    assert isinstance(wrong, Unauthorized)
    assert (type(wrong), wrong.to_wire()) == (type(unknown), unknown.to_wire())
    assert len(work) == 2
    assert work[0] == work[1]


@pytest.mark.parametrize("names", [{}, {"email": "ada@example.org", "username": "ada"}])
async def test_signing_in_takes_exactly_one_name(hub: AccountsStack, names: dict[str, str]) -> None:
    error = await error_of(hub.accounts.sign_in(SignIn(password=PASSWORD, **names), CLIENT))
    assert isinstance(error, InvalidPayload)


async def test_guessing_is_limited_per_account_from_everywhere_and_per_address_for_all(hub: AccountsStack) -> None:
    await hub.sign_up("ada")
    guesses = [
        hub.accounts.sign_in(SignIn(username="aDa", password="wrong"), Client(f"192.0.2.{number}", ""))
        for number in range(11)
    ]
    errors = [type(await error_of(guess)) for guess in guesses]
    assert errors == [Unauthorized] * 10 + [RateLimited]
    hub.limiter.taken.clear()
    one_address = hub.another_node(sign_ins_per_minute=3)
    errors = [type(await error_of(one_address.sign_in(f"user{number}"))) for number in range(4)]
    assert errors == [Unauthorized] * 3 + [RateLimited]
    assert not any("ada" in key for key in hub.limiter.taken)
    one_address.passwords.close()


async def test_signing_up_is_limited_per_address(hub: AccountsStack) -> None:
    node = hub.another_node(sign_ups_per_minute=2)
    await node.sign_up("ada")
    await node.sign_up("bob")
    assert isinstance(await error_of(node.sign_up("eve")), RateLimited)
    node.passwords.close()


async def test_a_hash_of_older_parameters_is_renewed_at_the_next_sign_in(hub: AccountsStack) -> None:
    await hub.sign_up("ada")
    stronger = hub.another_node(argon2_passes=2)
    await stronger.sign_in("ada")
    found = await hub.store.credentials(email=None, username="ada")
    assert found is not None
    assert "t=2" in found[1]
    assert (await stronger.sign_in("ada")).user.username == "ada"
    stronger.passwords.close()


async def test_a_sign_in_does_not_fail_because_its_hash_could_not_be_renewed(
    hub: AccountsStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(password: str) -> str:
        raise Overloaded

    await hub.sign_up("ada")
    stronger = hub.another_node(argon2_passes=2)
    monkeypatch.setattr(stronger.passwords, "hash", busy)
    assert (await stronger.sign_in("ada")).user.username == "ada"
    stronger.passwords.close()


async def test_each_refresh_gives_new_tokens_of_the_same_session(hub: AccountsStack) -> None:
    tokens = [await hub.sign_up("ada")]
    for _ in range(5):
        hub.clock.advance(500)
        tokens.append(await refresh(hub, tokens[-1]))
    assert len({token.refresh_token for token in tokens}) == 6
    assert len({token.access_token for token in tokens}) == 6
    assert len({hub.actor(token) for token in tokens[-2:]}) == 1


async def test_tabs_that_refresh_at_once_on_several_nodes_all_get_the_same_successor(hub: AccountsStack) -> None:
    nodes = [hub, hub.another_node()]
    first = await hub.sign_up("ada")
    answers = await asyncio.gather(*(refresh(nodes[number % 2], first) for number in range(8)))
    assert len({answer.refresh_token for answer in answers}) == 1
    assert (await refresh(hub, answers[0])).user == first.user
    nodes[1].passwords.close()


async def test_a_lost_answer_is_given_again_for_thirty_seconds(hub: AccountsStack) -> None:
    first = await hub.sign_up("ada")
    second = await refresh(hub, first)
    hub.clock.advance(30)
    assert (await refresh(hub, first)).refresh_token == second.refresh_token
    assert hub.revocations.revoked == {}


async def test_a_spent_token_that_comes_later_ends_the_session_for_thief_and_owner(hub: AccountsStack) -> None:
    first = await hub.sign_up("ada")
    second = await refresh(hub, first)
    session_id = hub.actor(second).session_id
    hub.clock.advance(31)
    assert isinstance(await error_of(refresh(hub, first)), Unauthorized)
    assert hub.revocations.revoked == {session_id: "refresh_token_reused"}
    assert isinstance(await error_of(refresh(hub, second)), Unauthorized)
    assert isinstance(await error_of(hub.authenticator.authenticate(second.access_token)), Unauthorized)


async def test_reuse_ends_no_other_session(hub: AccountsStack) -> None:
    first = await hub.sign_up("ada")
    elsewhere = await hub.sign_in("ada")
    await refresh(hub, first)
    hub.clock.advance(31)
    await error_of(refresh(hub, first))
    await refresh(hub, elsewhere)


async def test_a_revocation_that_failed_half_way_is_finished_by_a_repeat(hub: AccountsStack) -> None:
    first = await hub.sign_up("ada")
    second = await refresh(hub, first)
    hub.clock.advance(31)
    hub.revocations.down = True
    assert isinstance(await error_of(refresh(hub, first)), Unavailable)
    hub.revocations.down = False
    await error_of(refresh(hub, first))
    assert hub.revocations.revoked == {hub.actor(second).session_id: "refresh_token_reused"}


async def test_a_session_ends_after_thirty_idle_days_and_after_ninety_busy_ones(hub: AccountsStack) -> None:
    idle, busy = await hub.sign_up("ada"), await hub.sign_up("bob")
    day = 86_400
    for _ in range(3):
        hub.clock.advance(29.9 * day)
        busy = await refresh(hub, busy)
    hub.clock.advance(0.2 * day)
    assert isinstance(await error_of(refresh(hub, idle)), Unauthorized)
    hub.clock.advance(0.2 * day)
    assert isinstance(await error_of(refresh(hub, busy)), Unauthorized)
    assert hub.revocations.revoked == {}


async def test_a_forged_refresh_token_is_refused_and_harms_nobody(hub: AccountsStack) -> None:
    first = await hub.sign_up("ada")
    stranger = await hub.sign_up("eve")
    real = parse(first.refresh_token)
    assert real is not None
    swapped = first.refresh_token[:30] + stranger.refresh_token[30:]
    for forged in ("", "shr_", "x" * 74, swapped, first.refresh_token[:-2]):
        assert isinstance(await error_of(refresh(hub, forged)), Unauthorized)
    assert hub.revocations.revoked == {}
    await refresh(hub, first)


async def test_the_database_alone_makes_no_token(hub: AccountsStack) -> None:
    first = await hub.sign_up("ada")
    rows = await hub.pool.fetch("SELECT s.*, u.* FROM account_session s, account_user u")
    dump = " ".join(str(tuple(row)) for row in rows)
    real = parse(first.refresh_token)
    assert real is not None
    assert str(real.proof) not in dump
    assert first.refresh_token not in dump
    assert PASSWORD not in dump


async def test_signing_out_ends_the_session_at_once(hub: AccountsStack) -> None:
    signed_in = await hub.sign_up("ada")
    actor = hub.actor(signed_in)
    await hub.accounts.sign_out(actor)
    assert hub.revocations.revoked == {actor.session_id: "signed_out"}
    assert isinstance(await error_of(refresh(hub, signed_in)), Unauthorized)
    assert isinstance(await error_of(hub.authenticator.authenticate(signed_in.access_token)), Unauthorized)


async def test_signing_out_can_be_repeated_when_redis_failed(hub: AccountsStack) -> None:
    actor = await hub.person("ada")
    hub.revocations.down = True
    assert isinstance(await error_of(hub.accounts.sign_out(actor)), Unavailable)
    hub.revocations.down = False
    await hub.accounts.sign_out(actor)
    assert hub.revocations.revoked == {actor.session_id: "signed_out"}


async def test_sessions_are_listed_for_their_owner_with_place_and_device(hub: AccountsStack) -> None:
    actor = await hub.person("ada")
    await hub.accounts.sign_in(SignIn(username="ada", password=PASSWORD), Client("2001:db8:9::7", "Phone\0\udcff"))
    await hub.sign_up("bob")
    listed = (await hub.accounts.sessions(actor, PageQuery())).data
    assert [(one.user_agent, one.address_prefix, one.current) for one in listed] == [
        ("Phone?", "2001:db8:9::/48", False),
        ("Firefox", "192.0.2.0/24", True),
    ]


async def test_sessions_come_in_pages(hub: AccountsStack) -> None:
    actor = await hub.person("ada")
    for _ in range(4):
        await hub.sign_in("ada")
    seen: list[str] = []
    query = PageQuery(limit=2)
    while True:
        page = await hub.accounts.sessions(actor, query)
        seen += [one.id for one in page.data]
        if not page.page_info.has_next:
            break
        query = PageQuery(limit=2, cursor=page.page_info.next_cursor)
    assert len(seen) == len(set(seen)) == 5
    assert seen[-1] == actor.session_id


async def test_a_forged_cursor_is_an_invalid_payload(hub: AccountsStack) -> None:
    actor = await hub.person("ada")
    for cursor in ("x", "WyJhIl0", "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OV0", "WzEsMl0"):
        error = await error_of(hub.accounts.sessions(actor, PageQuery(cursor=cursor)))
        assert isinstance(error, InvalidPayload)


async def test_one_ends_ones_own_sessions_only(hub: AccountsStack) -> None:
    ada, bob = await hub.person("ada"), await hub.person("bob")
    other = hub.actor(await hub.sign_in("ada"))
    for strange in (bob.session_id, SessionId(new_uuid())):
        assert isinstance(await error_of(hub.accounts.end_session(ada, strange)), NotFound)
    await hub.accounts.end_session(ada, other.session_id)
    await hub.accounts.end_session(ada, other.session_id)
    assert list(hub.revocations.revoked) == [other.session_id]


async def test_an_outage_of_the_database_is_not_a_refusal(hub: AccountsStack) -> None:
    first = await hub.sign_up("ada")
    await hub.pool.close()
    for attempt in (refresh(hub, first), hub.sign_in("ada")):
        with pytest.raises(Exception) as raised:
            await attempt
        assert not isinstance(raised.value, HubError)

"""Privacy settings: the use cases and their REST declarations on a real PostgreSQL."""

from collections.abc import AsyncIterator, Mapping

import pytest

from core_api.accounts.privacy import Audience
from core_api.accounts.privacy_settings import PrivacySettings
from core_api.accounts.routes import privacy_api
from core_api.accounts.schema import PrivacyChanges, PrivacyChoice
from core_api.accounts.store import PRIVACY_CHANGED
from core_api.accounts.store_postgres_privacy import PostgresPrivacy
from hub.kernel.errors import NotFound, PreconditionFailed
from hub.kernel.events import Actor
from hub.kernel.http import Handler
from hub.kernel.ids import SessionId, UserId, new_uuid
from tests.support.accounts import AccountsStack, accounts_stack


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[AccountsStack]:
    async with accounts_stack(database_url) as stack:
        yield stack


class Looked:
    """Remembers whom everybody's sight of was looked at again."""

    def __init__(self) -> None:
        self.at: list[UserId] = []

    async def again(self, user_id: UserId) -> None:
        self.at.append(user_id)


@pytest.fixture
def looked() -> Looked:
    return Looked()


@pytest.fixture
def settings(hub: AccountsStack, looked: Looked) -> PrivacySettings:
    return PrivacySettings(PostgresPrivacy(hub.pool), looked.again)


@pytest.fixture
def handlers(settings: PrivacySettings) -> Mapping[str, Handler]:
    endpoints = privacy_api(settings).endpoints
    assert {(one.path, one.caller) for one in endpoints} == {("/users/me/privacy", "required")}
    return {one.method: one.handler for one in endpoints}


async def test_settings_are_read_replaced_and_changed_at_the_version_they_were_read(
    hub: AccountsStack, handlers: Mapping[str, Handler]
) -> None:
    ada, bob = await hub.person("ada"), await hub.person("bob")
    first = await handlers["GET"](actor=ada)
    assert (first.body, first.version) == (PrivacyChoice(), 1)
    changes = PrivacyChanges(last_seen=Audience.NOBODY)
    second = await handlers["PATCH"](body=changes, actor=ada, if_match=1)
    assert (second.body, second.version) == (PrivacyChoice(last_seen=Audience.NOBODY), 2)
    with pytest.raises(PreconditionFailed):
        await handlers["PATCH"](body=changes, actor=ada, if_match=1)
    whole = PrivacyChoice(presence=Audience.FRIENDS)
    third = await handlers["PUT"](body=whole, actor=ada, if_match=2)
    assert (third.body, third.version) == (whole, 3)
    with pytest.raises(PreconditionFailed):
        await handlers["PUT"](body=whole, actor=ada, if_match=2)
    assert (await handlers["GET"](actor=bob)).body == PrivacyChoice()


async def test_each_change_has_everybodys_sight_looked_at_again_and_the_outbox_once_more(
    hub: AccountsStack, settings: PrivacySettings, looked: Looked
) -> None:
    ada = await hub.person("ada")
    await settings.change(PrivacyChanges(), ada, 1)
    assert looked.at == []
    await settings.change(PrivacyChanges(presence=Audience.NOBODY), ada, None)
    await settings.sinks()[PRIVACY_CHANGED]({"userId": ada.user_id})
    assert looked.at == [ada.user_id, ada.user_id]


async def test_an_account_that_is_gone_has_no_settings(settings: PrivacySettings) -> None:
    ghost = Actor(UserId(new_uuid()), SessionId(new_uuid()))
    with pytest.raises(NotFound):
        await settings.change(PrivacyChanges(presence=Audience.NOBODY), ghost, None)

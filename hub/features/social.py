"""Accounts, rooms and posts."""

from dataclasses import dataclass

from core_api.accounts.directory import Directory
from core_api.accounts.directory_postgres import PostgresDirectory
from core_api.accounts.passwords import Passwords
from core_api.accounts.people import ActOnTwo, People
from core_api.accounts.privacy_settings import PrivacySettings
from core_api.accounts.refresh import RefreshTokens
from core_api.accounts.routes import accounts_api, people_api, privacy_api
from core_api.accounts.service import Accounts
from core_api.accounts.signing_key import SigningKey
from core_api.accounts.staff import suspension_sinks
from core_api.accounts.store_postgres import PostgresAccounts
from core_api.accounts.store_postgres_privacy import PostgresPrivacy
from core_api.accounts.store_postgres_staff import PostgresStaff
from core_api.accounts.tokens import TokenSigner
from core_api.content.handlers import content_events
from core_api.content.roles import ContentRoles
from core_api.content.routes import content_api
from core_api.content.service import Posts
from core_api.content.store_postgres import PostgresPosts
from core_api.content.subscriptions import Subscriptions
from core_api.rooms.handlers import room_events
from core_api.rooms.live import LiveRooms
from core_api.rooms.posting import PostingRights
from core_api.rooms.roles import RoomRoles
from core_api.rooms.routes import rooms_api
from core_api.rooms.service import RoomDirectory
from core_api.rooms.store_postgres import PostgresRooms
from hub.features.core import Core, Feature
from hub.kernel.ids import UserId, user_room
from hub.kernel.sight import Visibility
from presence.views import SHOWING, watch_room


def accounts(core: Core, key: SigningKey, *, separate: ActOnTwo) -> Feature:
    """Sign-up to sign-out, and people. ``separate`` ends the view that two people have of each other."""

    async def look_again(one: UserId, other: UserId) -> None:
        for viewer, seen in ((one, other), (other, one)):
            for visibility in SHOWING:
                await core.rooms.review(user_room(viewer), in_=watch_room(seen, visibility))
            await core.rooms.review(user_room(viewer))

    async def look_again_at(user_id: UserId) -> None:
        for visibility in Visibility:
            room = watch_room(user_id, visibility)
            await core.rooms.review(room, in_=room)

    async def look_again_and_separate(one: UserId, other: UserId) -> None:
        await look_again(one, other)
        await separate(one, other)

    settings = core.settings.accounts
    passwords = Passwords(settings)
    service = Accounts(
        PostgresAccounts(core.pool),
        passwords,
        TokenSigner(key, settings, core.clock),
        RefreshTokens(key.derive("refresh")),
        core.limiter,
        core.revocations,
        core.clock,
        settings,
    )

    core.outbox.add(suspension_sinks(PostgresStaff(core.pool), core.revocations, core.clock, settings))
    people = People(core.people, core.clock, separate=look_again_and_separate, look_again=look_again)
    core.outbox.add(people.sinks())
    privacy = PrivacySettings(PostgresPrivacy(core.pool), look_again_at)
    core.outbox.add(privacy.sinks())
    directory = Directory(people, PostgresDirectory(core.pool))

    async def close() -> None:
        passwords.close()

    return Feature(apis=[accounts_api(service), people_api(people, directory), privacy_api(privacy)], closes=[close])


def rooms(core: Core) -> Feature:
    """Rooms with kept messages."""
    store = PostgresRooms(core.pool)
    roles = core.roles["room"] = RoomRoles(store, core.access)
    rights = PostingRights(core.access, store)
    live = LiveRooms(store, core.rooms, core.access, roles, rights, core.clock)
    core.expel["room"] = live.expel
    directory = RoomDirectory(store, core.access, core.people, core.clock, expel=live.expel, nudge=core.outbox.nudge)
    core.outbox.add(live.sinks())

    async def start() -> None:
        core.tasks.start(rights.run(), name="review of the rights to post")

    return Feature(apis=[rooms_api(directory)], events=room_events(live), starts=[start])


@dataclass(kw_only=True)
class Content(Feature):
    """Posts, which can also be read by GraphQL and minted."""

    posts: Posts


def content(core: Core) -> Content:
    """Posts and who follows them live."""
    store = PostgresPosts(core.pool)
    core.roles["content"] = ContentRoles(store, core.access)
    posts = Posts(store, core.access, core.people, core.clock, nudge=core.outbox.nudge)
    subscriptions = Subscriptions(store, core.rooms, core.access, core.people, core.people)
    core.expel["content"] = subscriptions.expel
    core.outbox.add(subscriptions.sinks())
    return Content(apis=[content_api(posts)], events=content_events(subscriptions), posts=posts)

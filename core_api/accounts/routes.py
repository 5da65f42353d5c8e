"""The REST side of accounts: /auth and /users."""

from core_api.accounts.directory import Directory
from core_api.accounts.people import People
from core_api.accounts.privacy_settings import PrivacySettings
from core_api.accounts.schema import (
    PersonQuery,
    PrivacyChanges,
    PrivacyChoice,
    Profile,
    ProfileChanges,
    SignedIn,
    SignUp,
    User,
)
from core_api.accounts.service import Accounts
from core_api.accounts.views import privacy_view, user_view
from core_api.ports import UserBrief
from hub.kernel.errors import NotFound
from hub.kernel.events import Actor
from hub.kernel.http import Client, Reply, RestApi
from hub.kernel.ids import SessionId, UserId
from hub.kernel.pages import Page, PageInfo, PageQuery
from hub.kernel.wire import Uuid


def accounts_api(accounts: Accounts) -> RestApi:
    """Signing up, in and out, refreshing, sessions."""
    api = RestApi("accounts")

    async def sign_up(body: SignUp, client: Client) -> Reply[SignedIn]:
        """Create an account and sign in to it."""
        signed_in = await accounts.sign_up(body, client)
        return Reply(signed_in, location=f"/users/{signed_in.user.id}")

    async def end_session(session_id: Uuid, actor: Actor) -> None:
        """End one of one's own sessions: its tokens are refused and its connections closed."""
        await accounts.end_session(actor, SessionId(session_id))

    api.post("/auth/signup", sign_up, limit=accounts.sign_up_limit)
    api.post("/auth/signin", accounts.sign_in, status=200, limit=accounts.sign_in_limit)
    api.post("/auth/refresh", accounts.refresh, status=200)
    api.post("/auth/logout", accounts.sign_out)
    api.get("/auth/sessions", accounts.sessions)
    api.delete("/auth/sessions/{sessionId}", end_session)
    return api


def people_api(people: People, directory: Directory) -> RestApi:
    """Profiles, follows and blocks."""
    api = RestApi("users")

    async def find_user(query: PersonQuery, actor: Actor | None) -> Page[User]:
        """Find a person by user name: a page of one, or of none."""
        try:
            found = [await directory.named(query.username, actor)]
        except NotFound:
            found = []
        return Page(data=found, page_info=PageInfo(next_cursor=None, has_next=False))

    async def get_me(actor: Actor) -> Reply[User]:
        """Get one's own profile."""
        account = await people.profile(actor.user_id, actor)
        return Reply(user_view(account, actor), version=account.version)

    async def get_user(user_id: Uuid, actor: Actor | None) -> Reply[User]:
        """Get a person's profile; one's own has the email address."""
        account = await people.profile(UserId(user_id), actor)
        return Reply(user_view(account, actor), version=account.version)

    async def replace_user(user_id: Uuid, body: Profile, actor: Actor, if_match: int | None) -> Reply[User]:
        """Replace one's own profile."""
        account = await people.replace_profile(UserId(user_id), body, actor, if_match)
        return Reply(user_view(account, actor), version=account.version)

    async def change_user(user_id: Uuid, body: ProfileChanges, actor: Actor, if_match: int | None) -> Reply[User]:
        """Change one's own profile."""
        account = await people.change_profile(UserId(user_id), body, actor, if_match)
        return Reply(user_view(account, actor), version=account.version)

    async def follow(user_id: Uuid, actor: Actor) -> None:
        """Follow a person."""
        await people.follow(UserId(user_id), actor)

    async def unfollow(user_id: Uuid, actor: Actor) -> None:
        """Stop following a person."""
        await people.unfollow(UserId(user_id), actor)

    async def block(user_id: Uuid, actor: Actor) -> None:
        """Block a person: neither follows the other any more, and they see no trace of you."""
        await people.block(UserId(user_id), actor)

    async def unblock(user_id: Uuid, actor: Actor) -> None:
        """Take a block back."""
        await people.unblock(UserId(user_id), actor)

    async def followers(user_id: Uuid, query: PageQuery, actor: Actor | None) -> Page[UserBrief]:
        """List who follows a person, the latest first."""
        return await people.followers(UserId(user_id), actor, query)

    async def following(user_id: Uuid, query: PageQuery, actor: Actor | None) -> Page[UserBrief]:
        """List whom a person follows, the latest first."""
        return await people.following(UserId(user_id), actor, query)

    api.get("/users", find_user)
    api.get("/users/me", get_me)
    api.get("/users/{userId}", get_user)
    api.put("/users/{userId}", replace_user)
    api.patch("/users/{userId}", change_user)
    api.post("/users/{userId}/follow", follow)
    api.delete("/users/{userId}/follow", unfollow)
    api.post("/users/{userId}/block", block)
    api.delete("/users/{userId}/block", unblock)
    api.get("/users/{userId}/followers", followers)
    api.get("/users/{userId}/following", following)
    return api


def privacy_api(settings: PrivacySettings) -> RestApi:
    """One's own privacy settings. Nobody else's can be asked for."""
    api = RestApi("users")

    async def get_privacy(actor: Actor) -> Reply[PrivacyChoice]:
        """Get one's own privacy settings."""
        chosen = await settings.get(actor)
        return Reply(privacy_view(chosen.privacy), version=chosen.version)

    async def replace_privacy(body: PrivacyChoice, actor: Actor, if_match: int | None) -> Reply[PrivacyChoice]:
        """Replace one's own privacy settings. Who watches is told within a second what they may see now."""
        chosen = await settings.replace(body, actor, if_match)
        return Reply(privacy_view(chosen.privacy), version=chosen.version)

    async def change_privacy(body: PrivacyChanges, actor: Actor, if_match: int | None) -> Reply[PrivacyChoice]:
        """Change one's own privacy settings."""
        chosen = await settings.change(body, actor, if_match)
        return Reply(privacy_view(chosen.privacy), version=chosen.version)

    api.get("/users/me/privacy", get_privacy)
    api.put("/users/me/privacy", replace_privacy)
    api.patch("/users/me/privacy", change_privacy)
    return api

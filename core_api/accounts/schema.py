"""The wire of accounts: what is asked and answered under /auth and /users."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from core_api.accounts.privacy import Audience
from hub.kernel.wire import END, Uuid, Wire

NO_CONTROLS = rf"^[^\x00-\x08\x0b-\x1f\x7f]*{END}"
"""Tabs and line feeds are text. PostgreSQL stores no NUL, and nothing shows the rest."""

Email = Annotated[
    str, Meta(max_length=254, pattern=rf"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+\.[^@\s\x00-\x1f\x7f.]+{END}")
]
Username = Annotated[str, Meta(pattern=rf"^[A-Za-z0-9_]{{3,30}}{END}", description="ASCII: no two names look the same")]
Password = Annotated[str, Meta(min_length=8, max_length=128)]
DisplayName = Annotated[str, Meta(max_length=60, pattern=NO_CONTROLS)]
Bio = Annotated[str, Meta(max_length=500, pattern=NO_CONTROLS)]
Position = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""What a cursor of our lists holds."""
RefreshTokenText = Annotated[str, Meta(max_length=200)]


class SignUp(Wire):
    """A new account."""

    email: Email
    username: Username
    password: Password
    referral_code: Annotated[str, Meta(max_length=64, pattern=NO_CONTROLS)] | None = None


class SignIn(Wire):
    """A password, and whose: give either ``email`` or ``username``."""

    password: Annotated[str, Meta(max_length=128)]
    email: Email | None = None
    username: Username | None = None


class Refresh(Wire):
    """The newest refresh token."""

    refresh_token: RefreshTokenText


class User(Wire):
    """A person. ``email`` and ``role`` are in one's own view only."""

    id: Uuid
    username: str
    display_name: str
    bio: str
    created_at: datetime
    email: str | UnsetType = UNSET
    role: Literal["user", "moderator", "admin"] | UnsetType = UNSET


class SignedIn(Wire):
    """The tokens of a session. The refresh token is good once; the answer to it carries the next one."""

    user: User
    access_token: str
    access_token_expires_at: datetime
    refresh_token: str


class SessionInfo(Wire):
    """One sign-in, as its owner sees it. ``current`` is the one that asks."""

    id: Uuid
    user_agent: str
    address_prefix: str
    created_at: datetime
    last_seen_at: datetime
    current: bool


class PersonQuery(Wire):
    """Query of /users: whom to find, by the exact name in whatever case."""

    username: Username


class Profile(Wire):
    """All that a person writes about themselves; what is left out is empty."""

    display_name: DisplayName = ""
    bio: Bio = ""


class ProfileChanges(Wire):
    """The fields of one's own profile to change; what is left out stays."""

    display_name: DisplayName | UnsetType = UNSET
    bio: Bio | UnsetType = UNSET


class PrivacyChoice(Wire):
    """Who may see one's presence, and, of those, who may see when one was last there; who may call.

    What is left out is everyone. Friends are people who follow each other. A block goes before all of it.
    """

    presence: Audience = Audience.EVERYONE
    last_seen: Audience = Audience.EVERYONE
    calls: Audience = Audience.EVERYONE


class PrivacyChanges(Wire):
    """The privacy settings to change; what is left out stays."""

    presence: Audience | UnsetType = UNSET
    last_seen: Audience | UnsetType = UNSET
    calls: Audience | UnsetType = UNSET

"""What accounts keep, as Protocols. A method is one transaction; ids are UUID strings; times come from the caller."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core_api.accounts.model import Account, Session, StaffRole, Status
from core_api.accounts.privacy import Audience, VersionedPrivacy
from core_api.ports import UserBrief
from hub.kernel.ids import SessionId, UserId

SUSPENDED = "account.suspended"
"""Topic of the outbox: ``{userId}``. Whoever is told must look whether that was taken back meanwhile."""

NEW_BLOCK = "account.blocked"
"""Topic of the outbox: ``{blockerId, blockedId}``, of a new block, which may have been taken back meanwhile."""

RELATION_CHANGED = "account.relation_changed"
"""Topic of the outbox: ``{userIds}``, two of whom one has followed, unfollowed or unblocked the other."""

PRIVACY_CHANGED = "account.privacy_changed"
"""Topic of the outbox: ``{userId}``."""


@dataclass(frozen=True, slots=True)
class FollowRow:
    """One entry of a list of followers or followed; ``number`` is its place, later ones are higher."""

    user: UserBrief
    number: int


class AccountStore(Protocol):
    """Accounts and sessions. Nothing expires by itself: the rules of refresh.py are applied when a token comes."""

    async def create(
        self, account: Account, password_hash: str, referral_code: str | None, session: Session
    ) -> frozenset[str]:
        """Add an account as it stands, and its first session, both or neither.

        Returns the fields (``email``, ``username``) that somebody else has; then nothing was added. Of several at
        once with the same name exactly one is added.
        """
        ...

    async def taken(self, email: str, username: str) -> frozenset[str]:
        """Which of the two (``email``, ``username``) an account that is not deleted has already."""
        ...

    async def account(self, user_id: UserId) -> Account | None:
        """The account, unless it is deleted."""
        ...

    async def credentials(self, *, email: str | None, username: str | None) -> tuple[Account, str] | None:
        """The account with this address (or else this username) and its password hash."""
        ...

    async def status(self, user_id: UserId) -> Status | None:
        """Whether the account may be used; ``None`` if it is deleted."""
        ...

    async def replace_hash(self, user_id: UserId, old: str, new: str) -> None:
        """Put ``new`` in the place of ``old``; nothing happens if the password was changed meanwhile."""
        ...

    async def start_session(self, session: Session) -> bool:
        """Add a session. False, and nothing added, if the account is suspended or deleted by then."""
        ...

    async def session(self, session_id: SessionId) -> Session | None:
        """A session, live or ended."""
        ...

    async def rotate(self, session_id: SessionId, generation: int, now: datetime) -> bool:
        """Go from refresh token ``generation`` to the next one; False if that is not the live session's current one.

        Compare and set: of several at once exactly one gets True.
        """
        ...

    async def end_session(self, session_id: SessionId, user_id: UserId, reason: str, now: datetime) -> bool:
        """End a session of this user; False if they never had it. Ending it again changes nothing and gives True."""
        ...

    async def live_sessions(
        self, user_id: UserId, *, created_after: datetime, refreshed_after: datetime, before: int | None, limit: int
    ) -> list[Session]:
        """Sessions that have not ended, are young enough and have a number below ``before``, newest first."""
        ...


class StaffStore(Protocol):
    """Roles and suspensions. What changes an account gives ``None`` if there is no such account."""

    async def account(self, user_id: UserId) -> Account | None:
        """The account, unless it is deleted."""
        ...

    async def account_with(self, email: str) -> Account | None:
        """The account with this address, in whatever case."""
        ...

    async def set_role(self, user_id: UserId, role: StaffRole) -> bool | None:
        """Give an account a role; False if it has it already."""
        ...

    async def suspend(self, user_id: UserId, reason: str, now: datetime) -> bool | None:
        """Suspend an account and end its sessions, with SUSPENDED in the outbox; False if it was suspended already.

        A repeat tells the outbox again, and leaves time and reason as they are. No session starts beside it:
        :meth:`AccountStore.start_session` comes before, and is ended, or after, and is refused.
        """
        ...

    async def unsuspend(self, user_id: UserId) -> bool | None:
        """Let a suspended account be used again; False if it is not suspended."""
        ...

    async def sessions_with_tokens(self, user_id: UserId, *, since: datetime) -> list[SessionId]:
        """Sessions that have ended, and got their last tokens after ``since``: these may still be valid."""
        ...


class PeopleStore(Protocol):
    """Profiles, follows and blocks."""

    async def account(self, user_id: UserId) -> Account | None:
        """The account, unless it is deleted."""
        ...

    async def change_profile(
        self, user_id: UserId, *, display_name: str | None, bio: str | None, version: int | None
    ) -> Account | None:
        """Change what is not ``None``, raise the version, and give the new state.

        ``None``, and nothing changed, if there is no such account or it is not at ``version`` (``None``: any).
        """
        ...

    async def follow(self, follower_id: UserId, followee_id: UserId, now: datetime) -> bool:
        """Follow; False, and nothing changed, if either blocks the other. Idempotent.

        Never interleaves with :meth:`block` of the same two. A new follow comes with RELATION_CHANGED in the outbox.
        """
        ...

    async def unfollow(self, follower_id: UserId, followee_id: UserId) -> None:
        """Stop following. Idempotent. The end of a follow comes with RELATION_CHANGED in the outbox."""
        ...

    async def block(self, blocker_id: UserId, blocked_id: UserId, now: datetime) -> None:
        """Block, and remove the follows between the two, both ways. Idempotent.

        A new block comes with NEW_BLOCK in the outbox.
        """
        ...

    async def unblock(self, blocker_id: UserId, blocked_id: UserId) -> None:
        """Take a block back. Follows do not come back. Idempotent.

        The end of a block comes with RELATION_CHANGED in the outbox.
        """
        ...

    async def blocks(self, blocker_id: str, blocked_id: str) -> bool:
        """Whether the first blocks the second."""
        ...

    async def blocked(self, one: str, other: str) -> bool:
        """Whether either blocks the other."""
        ...

    async def blocked_among(self, one: str, others: Set[str]) -> frozenset[str]:
        """Those of ``others`` who block ``one`` or are blocked by ``one``, in one query; in none for nobody."""
        ...

    async def blocked_pairs(self, pairs: Set[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Those of ``pairs`` with a block between them; no query for no pairs."""
        ...

    async def followers(
        self, user_id: UserId, viewer_id: UserId | None, before: int | None, limit: int
    ) -> Sequence[FollowRow]:
        """Who follows a user, latest first, numbers below ``before``, without those with a block to the viewer."""
        ...

    async def following(
        self, user_id: UserId, viewer_id: UserId | None, before: int | None, limit: int
    ) -> Sequence[FollowRow]:
        """Whom a user follows, in the same way."""
        ...

    async def follower_ids(self, author_id: str, after: str | None, limit: int) -> list[str]:
        """See core_api.ports.Follows."""
        ...

    async def briefs(self, user_ids: Iterable[str]) -> dict[str, UserBrief]:
        """See core_api.ports.Profiles."""
        ...

    async def exists(self, user_id: str) -> bool:
        """See core_api.ports.Profiles."""
        ...


class PrivacyStore(Protocol):
    """Privacy settings. ``None`` where there is no such account."""

    async def privacy(self, user_id: UserId) -> VersionedPrivacy | None:
        """What the person has chosen."""
        ...

    async def change_privacy(
        self,
        user_id: UserId,
        *,
        presence: Audience | None = None,
        last_seen: Audience | None = None,
        calls: Audience | None = None,
        version: int | None = None,
    ) -> VersionedPrivacy | None:
        """Change what is not ``None``, raise the version, and give the new state, with PRIVACY_CHANGED in the outbox.

        ``None``, and nothing changed, also if the settings are not at ``version`` (``None``: any).
        """
        ...

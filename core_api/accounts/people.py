"""People: profiles, who follows whom, who blocks whom. Somebody who is blocked sees absence, never the block."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from msgspec import UNSET, UnsetType

from core_api.accounts.model import Account
from core_api.accounts.schema import Position, Profile, ProfileChanges
from core_api.accounts.store import NEW_BLOCK, RELATION_CHANGED, FollowRow, PeopleStore
from core_api.outbox import Payload, Sink
from core_api.ports import UserBrief
from hub.kernel.clock import Clock
from hub.kernel.errors import Conflict, Forbidden, NotFound, PreconditionFailed, Unavailable
from hub.kernel.events import Actor
from hub.kernel.ids import UserId
from hub.kernel.pages import Page, PageQuery, decode_cursor, page

log = logging.getLogger(__name__)

FollowList = Callable[[UserId, UserId | None, int | None, int], Awaitable[Sequence[FollowRow]]]
ActOnTwo = Callable[[UserId, UserId], Awaitable[None]]
"""Acts on what has changed between two people, where they see each other live. May be repeated."""


async def nobody_to_tell(_one: UserId, _other: UserId) -> None:
    """Two who see each other nowhere live."""


class People:
    """The use cases under /users.

    ``separate`` is called after each block, repeated ones too, and ``look_again``, which must not raise, after each
    follow, its end, and the end of a block; both once more when the outbox tells of it.
    """

    def __init__(
        self,
        store: PeopleStore,
        clock: Clock,
        *,
        separate: ActOnTwo = nobody_to_tell,
        look_again: ActOnTwo = nobody_to_tell,
    ) -> None:
        self._store = store
        self._clock = clock
        self._separate = separate
        self._look_again = look_again

    async def profile(self, user_id: UserId, viewer: Actor | None) -> Account:
        """A person whom ``viewer`` may see. Raises NotFound."""
        account = await self._store.account(user_id)
        if account is None or (viewer is not None and await self._store.blocks(user_id, viewer.user_id)):
            raise NotFound
        return account

    async def replace_profile(self, user_id: UserId, profile: Profile, actor: Actor, version: int | None) -> Account:
        """Replace the whole of one's own profile. Raises as :meth:`change_profile`."""
        changes = ProfileChanges(display_name=profile.display_name, bio=profile.bio)
        return await self.change_profile(user_id, changes, actor, version)

    async def change_profile(
        self, user_id: UserId, changes: ProfileChanges, actor: Actor, version: int | None
    ) -> Account:
        """Change one's own profile, if it is still at ``version`` (``None``: whatever it is at).

        Raises NotFound or Forbidden for somebody else's, PreconditionFailed if it has changed meanwhile.
        """
        account = await self.profile(user_id, actor)
        if user_id != actor.user_id:
            raise Forbidden("This is not your profile.")
        if version not in (None, account.version):
            raise PreconditionFailed
        if changes == ProfileChanges():
            return account
        changed = await self._store.change_profile(
            user_id, display_name=_given(changes.display_name), bio=_given(changes.bio), version=version
        )
        if changed is None:
            raise PreconditionFailed
        return changed

    async def follow(self, user_id: UserId, actor: Actor) -> None:
        """Follow somebody. Idempotent. Raises NotFound, Forbidden (oneself), Conflict (somebody one blocks)."""
        if user_id == actor.user_id:
            raise Forbidden("You cannot follow yourself.")
        await self.profile(user_id, actor)
        if not await self._store.follow(actor.user_id, user_id, self._clock.now()):
            await self.profile(user_id, actor)  # NotFound if it is they who block, since a moment ago
            raise Conflict("You block this person. Take the block back first.")
        await self._look_again(actor.user_id, user_id)

    async def unfollow(self, user_id: UserId, actor: Actor) -> None:
        """Stop following somebody. Idempotent."""
        await self._store.unfollow(actor.user_id, user_id)
        await self._look_again(actor.user_id, user_id)

    async def block(self, user_id: UserId, actor: Actor) -> None:
        """Block somebody, and end the follows between the two. Idempotent. Raises NotFound, Forbidden (oneself)."""
        if user_id == actor.user_id:
            raise Forbidden("You cannot block yourself.")
        await self.profile(user_id, actor)
        await self._store.block(actor.user_id, user_id, self._clock.now())
        try:
            await self._separate(actor.user_id, user_id)
        except Unavailable as error:
            log.warning("the relay of the outbox will separate %s and %s: %r", actor.user_id, user_id, error)

    def sinks(self) -> dict[str, Sink]:
        """What to do with the events of the outbox."""
        return {NEW_BLOCK: self._blocked, RELATION_CHANGED: self._related}

    async def _blocked(self, payload: Payload) -> None:
        """Separate for certain: whoever blocked did it at once, unless their node died."""
        one, other = UserId(payload["blockerId"]), UserId(payload["blockedId"])
        if await self._store.blocked(one, other):
            await self._separate(one, other)

    async def _related(self, payload: Payload) -> None:
        one, other = payload["userIds"]
        await self._look_again(UserId(one), UserId(other))

    async def unblock(self, user_id: UserId, actor: Actor) -> None:
        """Take a block back. Idempotent."""
        await self._store.unblock(actor.user_id, user_id)
        await self._look_again(actor.user_id, user_id)

    async def followers(self, user_id: UserId, viewer: Actor | None, query: PageQuery) -> Page[UserBrief]:
        """Who follows somebody, latest first. Raises NotFound."""
        return await self._follow_page(self._store.followers, user_id, viewer, query)

    async def following(self, user_id: UserId, viewer: Actor | None, query: PageQuery) -> Page[UserBrief]:
        """Whom somebody follows, latest first. Raises NotFound."""
        return await self._follow_page(self._store.following, user_id, viewer, query)

    async def _follow_page(
        self, fetch: FollowList, user_id: UserId, viewer: Actor | None, query: PageQuery
    ) -> Page[UserBrief]:
        await self.profile(user_id, viewer)
        before = None if query.cursor is None else decode_cursor(query.cursor, tuple[Position])[0]
        rows = await fetch(user_id, None if viewer is None else viewer.user_id, before, query.limit + 1)
        return page(rows, query.limit, lambda row: row.user, lambda row: (row.number,))


def _given(value: str | UnsetType) -> str | None:
    return None if value is UNSET else value

"""People as other domains read them."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from core_api.accounts.model import Account
from core_api.accounts.people import People
from core_api.accounts.schema import User
from core_api.accounts.views import user_view
from hub.kernel.errors import NotFound
from hub.kernel.events import Actor
from hub.kernel.ids import UserId


class DirectoryStore(Protocol):
    """Accounts by id or name, without those that are deleted, or that block the viewer."""

    async def visible(self, user_ids: Iterable[UserId], viewer_id: UserId | None) -> Sequence[Account]:
        """Those of these, in one query, in any order."""
        ...

    async def named(self, username: str, viewer_id: UserId | None) -> Account | None:
        """The one with this name, in whatever case."""
        ...


class Directory:
    """Views of people, with the rules of :class:`~core_api.accounts.people.People`."""

    def __init__(self, people: People, store: DirectoryStore) -> None:
        self._people = people
        self._store = store

    async def get(self, user_id: UserId, viewer: Actor | None) -> User:
        """A person as ``viewer`` sees them. Raises NotFound, also for whom they block."""
        return user_view(await self._people.profile(user_id, viewer), viewer)

    async def named(self, username: str, viewer: Actor | None) -> User:
        """The same by name. Raises NotFound."""
        account = await self._store.named(username, _id_of(viewer))
        if account is None:
            raise NotFound
        return user_view(account, viewer)

    async def many(self, user_ids: Iterable[UserId], viewer: Actor | None) -> dict[UserId, User]:
        """Those of the people that ``viewer`` may see, by id, in one query."""
        accounts = await self._store.visible(user_ids, _id_of(viewer))
        return {account.id: user_view(account, viewer) for account in accounts}

    async def follow(self, user_id: UserId, actor: Actor) -> None:
        """Follow somebody. Idempotent. Raises NotFound, Forbidden (oneself), Conflict (somebody one blocks)."""
        await self._people.follow(user_id, actor)


def _id_of(viewer: Actor | None) -> UserId | None:
    return None if viewer is None else viewer.user_id

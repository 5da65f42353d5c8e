"""Privacy settings: who may see one's presence, who may call. A change acts on who watches at that moment."""

from collections.abc import Awaitable, Callable

from msgspec import UNSET, UnsetType

from core_api.accounts.privacy import Audience, VersionedPrivacy
from core_api.accounts.schema import PrivacyChanges, PrivacyChoice
from core_api.accounts.store import PRIVACY_CHANGED, PrivacyStore
from core_api.outbox import Payload, Sink
from hub.kernel.errors import NotFound, PreconditionFailed
from hub.kernel.events import Actor
from hub.kernel.ids import UserId

LookAgain = Callable[[UserId], Awaitable[None]]
"""Has everybody's sight of somebody looked at again where it is live. Must not raise, and may be repeated."""


class PrivacySettings:
    """The use cases under /users/me/privacy.

    ``look_again`` is called after each change, and once more when the outbox tells of it.
    """

    def __init__(self, store: PrivacyStore, look_again: LookAgain) -> None:
        self._store = store
        self._look_again = look_again

    async def get(self, actor: Actor) -> VersionedPrivacy:
        """What the actor has chosen. Raises NotFound if the account is gone."""
        privacy = await self._store.privacy(actor.user_id)
        if privacy is None:
            raise NotFound
        return privacy

    async def replace(self, choice: PrivacyChoice, actor: Actor, version: int | None) -> VersionedPrivacy:
        """Choose all of it. Raises as :meth:`change`."""
        changes = PrivacyChanges(presence=choice.presence, last_seen=choice.last_seen, calls=choice.calls)
        return await self.change(changes, actor, version)

    async def change(self, changes: PrivacyChanges, actor: Actor, version: int | None) -> VersionedPrivacy:
        """Choose some of it, if the settings are still at ``version`` (``None``: whatever they are at).

        Raises PreconditionFailed if they have changed meanwhile, NotFound if the account is gone.
        """
        privacy = await self.get(actor)
        if version not in (None, privacy.version):
            raise PreconditionFailed
        if changes == PrivacyChanges():
            return privacy
        changed = await self._store.change_privacy(
            actor.user_id,
            presence=_given(changes.presence),
            last_seen=_given(changes.last_seen),
            calls=_given(changes.calls),
            version=version,
        )
        if changed is None:
            raise PreconditionFailed
        await self._look_again(actor.user_id)
        return changed

    def sinks(self) -> dict[str, Sink]:
        """What to do with the events of the outbox."""
        return {PRIVACY_CHANGED: self._changed}

    async def _changed(self, payload: Payload) -> None:
        """Look again for certain: the node that made the change did it at once, unless it died."""
        await self._look_again(UserId(payload["userId"]))


def _given(value: Audience | UnsetType) -> Audience | None:
    return None if value is UNSET else value

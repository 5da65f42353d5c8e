"""The rule of who may call whom applied to several people at once."""

from collections.abc import Collection

from core_api.accounts.privacy import may_call
from core_api.accounts.sight import Relations
from hub.kernel.ids import UserId


class CallRule:
    """Implements signaling.ports.Callees."""

    def __init__(self, relations: Relations) -> None:
        self._relations = relations

    async def reachable(self, caller: UserId, callees: Collection[UserId]) -> frozenset[UserId]:
        """Those whom ``caller`` may call, in one query: they have an account, no block, and let them."""
        known = await self._relations.relations([(caller, callee) for callee in callees])
        return frozenset(callee for (_, callee), standing in known.items() if may_call(*standing))

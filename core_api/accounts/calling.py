"""The rule of who may call whom applied to several people at once."""

from collections.abc import Collection

from core_api.accounts.privacy import may_call
from core_api.accounts.sight import Standings
from hub.kernel.ids import UserId


class CallRule:
    """Implements signaling.ports.Callees."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings

    async def reachable(self, caller: UserId, callees: Collection[UserId]) -> frozenset[UserId]:
        """Those whom ``caller`` may call, in one query: they have an account, no block, and let them."""
        known = await self._standings.relations([(caller, callee) for callee in callees])
        return frozenset(callee for (_, callee), standing in known.items() if may_call(*standing))

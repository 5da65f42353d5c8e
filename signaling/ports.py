"""What calls need of others, besides the kernel's ports."""

from collections.abc import Collection
from typing import Protocol

from hub.kernel.ids import UserId


class Callees(Protocol):
    """Who may call whom. Implemented in core_api.accounts."""

    async def reachable(self, caller: UserId, callees: Collection[UserId]) -> frozenset[UserId]:
        """Those of ``callees`` who are there for ``caller``: they have an account, no block between the two, and let
        them call. In one query.
        """
        ...

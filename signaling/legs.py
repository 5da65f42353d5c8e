"""The calls whose legs are connections of this node: whose leases to renew, and what was already told.

Nothing here matters after a crash: leases run out, and what may not have been told is told again.
"""

from dataclasses import dataclass, field

from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId


@dataclass(slots=True)
class LocalLeg:
    """One connection's part in one call."""

    actor: Caller
    call_id: str
    told: int = 0
    """Highest version that this node has emitted for it. A repeat of what was told is not told again; a repeat whose
    first attempt got lost with an answer of Redis is."""


@dataclass
class LocalLegs:
    """The legs of this node."""

    _legs: dict[tuple[ConnectionId, str], LocalLeg] = field(default_factory=dict)

    def add(self, actor: Caller, call_id: str) -> LocalLeg:
        """Keep renewing this leg. Idempotent."""
        return self._legs.setdefault((actor.connection_id, call_id), LocalLeg(actor, call_id))

    def drop(self, connection_id: ConnectionId, call_id: str) -> None:
        """Stop renewing it."""
        self._legs.pop((connection_id, call_id), None)

    def first_time(self, actor: Caller, call_id: str, version: int) -> bool:
        """Whether this connection's change ``version`` is yet to be told, from now on no more."""
        leg = self._legs.get((actor.connection_id, call_id))
        if leg is None:
            return True
        fresh = version > leg.told
        leg.told = max(leg.told, version)
        return fresh

    def of(self, connection_id: ConnectionId) -> list[LocalLeg]:
        """Those of one connection."""
        return [leg for (one, _), leg in self._legs.items() if one == connection_id]

    def all(self) -> list[LocalLeg]:
        """A copy."""
        return list(self._legs.values())

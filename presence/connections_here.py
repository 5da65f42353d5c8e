"""The connections of this node that are in presence, and what it remembers of each."""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from hub.kernel.clock import Clock
from hub.kernel.events import Caller
from hub.kernel.ids import ConnectionId
from hub.kernel.ports import Activity
from presence.model import PARTS, Connection, part_of


@dataclass(slots=True)
class Here:
    """One connection. Moments are those of ``time.monotonic``."""

    connection: Connection
    said_active_s: float = field(default_factory=time.monotonic)
    """When its client last said that somebody is there, beside what its events say."""
    idle_at_s: float | None = None
    """The last activity before it became idle: a later one makes it active. ``None`` while it is active."""
    stored_active_s: float = field(default_factory=time.monotonic)
    """The last activity that the store has been told of."""


class ConnectionsHere:
    """All of them, in the parts of their users. They are the truth about this node; the store may be behind."""

    def __init__(self, activity: Activity, clock: Clock) -> None:
        self._activity = activity
        self._clock = clock
        self._parts: list[dict[ConnectionId, Here]] = [{} for _ in range(PARTS)]

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __iter__(self) -> Iterator[Here]:
        return (here for part in self._parts for here in part.values())

    def users(self) -> int:
        """How many people they belong to."""
        return len({here.connection.user_id for here in self})

    def add(self, connection: Connection) -> Here:
        """Know a connection. One that is known already is remembered as it is."""
        return self._parts[part_of(connection.user_id)].setdefault(connection.connection_id, Here(connection))

    def get(self, caller: Caller) -> Here | None:
        """The connection of a caller, if it has come and not gone."""
        return self._parts[part_of(caller.user_id)].get(caller.connection_id)

    def pop(self, caller: Caller) -> Here | None:
        """Know the connection of a caller no more."""
        return self._parts[part_of(caller.user_id)].pop(caller.connection_id, None)

    def clear(self) -> None:
        """Know none any more."""
        for part in self._parts:
            part.clear()

    def of_part(self, part: int) -> Collection[Here]:
        """Those whose users are of this part."""
        return self._parts[part].values()

    def has(self, part: int, connection_id: ConnectionId) -> bool:
        """Whether it is one of this part, and open."""
        here = self._parts[part].get(connection_id)
        return here is not None and self.is_open(here)

    def is_open(self, here: Here) -> bool:
        """Whether a connection has not gone. The hook that says so may come seconds later, if thousands go at once."""
        return self._activity.active_s(here.connection.connection_id) is not None

    def active_s(self, here: Here) -> float:
        """When somebody last did something over a connection."""
        return max(self._activity.active_s(here.connection.connection_id) or 0.0, here.said_active_s)

    def registration(self, here: Here) -> Connection:
        """A connection with all that the store has to know of it."""
        return self.noticed(here, idle=here.idle_at_s is not None, active_s=self.active_s(here))

    def noticed(self, here: Here, *, idle: bool, active_s: float) -> Connection:
        """A connection as idle or active, since a moment."""
        active_ms = self._clock.now_ms() - round((time.monotonic() - active_s) * 1000)
        return replace(here.connection, idle=idle, active_ms=active_ms)

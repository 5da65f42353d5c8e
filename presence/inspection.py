"""All that is stored of a user, down to single connections: for those who run the hub."""

from typing import Protocol

import msgspec

from hub.kernel.events import DeviceKind
from hub.kernel.ids import ConnectionId, NodeId, UserId
from presence.model import Device, Record, Status


class KnownConnection(msgspec.Struct, frozen=True, array_like=True):
    """A connection as the store has it. lua/user.lua gives the order of its fields."""

    connection_id: ConnectionId
    node_id: NodeId
    since_ms: int
    active_ms: int
    """When somebody last did something over it, as far as its node has said. 0: not said."""
    idle: bool
    lost_ms: int
    """When it was lost, if it still counts: it is held. 0: it is live."""


class KnownDevice(msgspec.Struct, frozen=True, array_like=True):
    """A device with its connections, live and held."""

    name: str
    kind: DeviceKind
    chosen: Status
    since_ms: int
    active_ms: int
    idle: bool
    connections: tuple[KnownConnection, ...]

    @property
    def device(self) -> Device:
        """What everybody else needs to know of it."""
        return Device(self.name, self.kind, self.chosen, self.since_ms, self.active_ms, self.idle)


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a user. The same as presence.model.Record, with connections."""

    user_id: UserId
    version: int = 0
    last_seen_ms: int = 0
    shown_version: int = 0
    shown_last_seen_ms: int = 0
    text: str = ""
    text_until_ms: int = 0
    devices: tuple[KnownDevice, ...] = ()

    @property
    def record(self) -> Record:
        """The same without connections."""
        return Record(
            self.user_id,
            self.version,
            self.last_seen_ms,
            self.shown_version,
            self.shown_last_seen_ms,
            self.text,
            self.text_until_ms,
            tuple(known.device for known in self.devices),
        )


class Inspector(Protocol):
    """Looks at what is stored."""

    async def look(self, user_id: UserId) -> Known:
        """All of a user; of somebody who never came the empty state. Raises Unavailable."""
        ...

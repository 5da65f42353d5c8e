"""The rules of presence, without I/O: what a user's devices add up to, and what others may see of it."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum

from hub.kernel.ids import ConnectionId, NodeId, UserId
from hub.kernel.sight import Visibility
from presence.transitions import EntryId

PARTS = 16
"""Users are divided into this many parts, each a hash tag in Redis. Enough to spread over the primaries of a large
Redis Cluster, few enough for a sweep to look at all of them twice a second. Changing it orphans what is stored."""


def part_of(user_id: UserId) -> int:
    """The part a user belongs to, the same on every node."""
    return zlib.crc32(user_id.encode()) % PARTS


CLOCKS_AGREE_MS = 5000
"""No node's clock is further from another's."""


class Status(IntEnum):
    """What a device says, by strength: of several devices the strongest wins, so the merge is a maximum.

    Do-not-disturb and busy were chosen with intent and must hold on every device. Away is only what an idle device
    reports, so one that is in use outweighs it. Invisible hides the whole user, whichever device asked for it; when
    that device leaves, those that remain take it over. The numbers are stored in Redis.
    """

    OFFLINE = 0
    AWAY = 1
    ONLINE = 2
    BUSY = 3
    DND = 4
    INVISIBLE = 5


@dataclass(frozen=True, slots=True)
class Connection:
    """What a node knows of one of its connections: all it takes to register it anew should Redis forget it."""

    connection_id: ConnectionId
    user_id: UserId
    node_id: NodeId
    device: str
    status: Status = Status.ONLINE
    """What it chose last. The status belongs to the device: a second tab shares it."""
    text: str | None = None
    """The status text it chose last; ``""`` removed it, ``None`` never said."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device with at least one connection, live or held."""

    name: str
    status: Status
    since_ms: int
    """When it took on this status."""


def merge(devices: Iterable[Device]) -> Status:
    """The one status of a user: the strongest of any device; offline without devices."""
    return max((device.status for device in devices), default=Status.OFFLINE)


@dataclass(frozen=True, slots=True)
class View:
    """A user's presence, as somebody sees it."""

    user_id: UserId
    status: Status = Status.OFFLINE
    text: str | None = None
    last_seen_ms: int | None = None
    """While there: the latest change. While offline: when the last connection was lost. ``None``: never seen."""
    devices: tuple[Device, ...] = ()
    version: int = 0
    """Rises with every change of this view, so the highest version is the latest state. 0: never seen."""

    def without_last_seen(self) -> "View":
        """The same for somebody who may not know when the user was last there, at the moment of a change."""
        return replace(self, last_seen_ms=None)


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored of a user.

    The view of others has its own version and last-seen: if they rose while the user is invisible, they would tell.
    """

    user_id: UserId
    devices: tuple[Device, ...] = ()
    text: str | None = None
    version: int = 0
    last_seen_ms: int | None = None
    shown_version: int = 0
    shown_last_seen_ms: int | None = None

    def own(self) -> View:
        """What the user's own devices see: the truth."""
        devices = tuple(sorted(self.devices, key=lambda device: device.name))
        return View(self.user_id, merge(devices), self.text, self.last_seen_ms, devices, self.version)

    def shown(self) -> View:
        """What others see. Somebody invisible looks exactly like somebody who went offline at that moment."""
        own = replace(self.own(), version=self.shown_version, last_seen_ms=self.shown_last_seen_ms)
        if own.status in (Status.INVISIBLE, Status.OFFLINE):
            return View(self.user_id, last_seen_ms=own.last_seen_ms, version=own.version)
        return own

    def seen(self, visibility: Visibility, now_ms: int) -> View:
        """What somebody else sees who looks now. Nothing is the same as of somebody who was never there.

        A version is the time of a change, so that of somebody offline would say when they were last there. Who may not
        know gets a later one: later than any state before, and earlier than any to come.
        """
        if visibility is Visibility.NOTHING:
            return View(self.user_id)
        shown = self.shown()
        if visibility is Visibility.EVERYTHING:
            return shown
        if shown.status is Status.OFFLINE and shown.version:
            shown = replace(shown, version=max(shown.version, now_ms - CLOCKS_AGREE_MS))
        return shown.without_last_seen()


@dataclass(frozen=True, slots=True)
class Change:
    """The state after an atomic change in the store, and whose view of it differs from before."""

    record: Record
    own: bool
    """Whether the user's own view changed."""
    shown: bool
    """Whether the view of others changed; implies ``own``."""
    entry: EntryId | None = None
    """Where the transition is kept until it has been told; ``None`` if nothing changed."""
    asked_s: float = field(default=0.0, compare=False)
    """When the store was asked for it, ``time.monotonic()``. It is no older than that."""

"""The rules of presence, without I/O: what a user's devices add up to, and what others may see of it."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from operator import attrgetter

import msgspec

from hub.kernel.events import DeviceKind
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
    kind: DeviceKind = "other"
    status: Status = Status.ONLINE
    """What it chose last. The status belongs to the device: a second tab shares it."""
    text: str | None = None
    """The status text it chose last; ``""`` removed it, ``None`` never said."""
    text_until_ms: int = 0
    """When that text is over; 0: never."""
    idle: bool | None = None
    """Whether nobody has used it for long. ``None`` is not known: whether it is as its device is."""
    active_ms: int = 0
    """When somebody last did something over it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A connection that was lost, and counts for a while. Times are Unix milliseconds."""

    connection: Connection
    lost_ms: int
    until_ms: int


class Device(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A device with at least one connection, live or held. The same name on another kind is another device."""

    name: str
    kind: DeviceKind
    chosen: Status
    since_ms: int
    """When it took on its status."""
    active_ms: int = 0
    """When somebody last did something on it, as far as its nodes have said: to some minutes while it is in use.
    0: not to be known."""
    idle: bool = False
    """Whether all its connections are."""

    @property
    def status(self) -> Status:
        """What it shows. Idleness turns online into away, and says nothing of what was chosen with intent."""
        return Status.AWAY if self.idle and self.chosen is Status.ONLINE else self.chosen


MAX_DEVICES = 20
"""A view names so many devices: a user may have a thousand connections, and every change goes to all who watch."""


def merge(devices: Iterable[Device]) -> Status:
    """The one status of a user: the strongest of any device; offline without devices."""
    return max((device.status for device in devices), default=Status.OFFLINE)


class View(msgspec.Struct, frozen=True, gc=False):
    """A user's presence, as somebody sees it."""

    user_id: UserId
    status: Status = Status.OFFLINE
    text: str | None = None
    text_until_ms: int | None = None
    last_seen_ms: int | None = None
    """While there: the latest change. While offline: when the last connection was lost. ``None``: never seen."""
    devices: tuple[Device, ...] = ()
    version: int = 0
    """Rises with every change of this view, so the highest version is the latest state. 0: never seen."""

    def without_last_seen(self) -> "View":
        """The same for somebody who may not know when the user was last there, at the moment of a change."""
        devices = tuple(msgspec.structs.replace(device, active_ms=0) for device in self.devices)
        return msgspec.structs.replace(self, last_seen_ms=None, devices=devices)

    def at_least(self, version: int) -> "View":
        """The same for somebody who was told this version of it already. Who was never seen stays so."""
        return msgspec.structs.replace(self, version=max(self.version, version)) if self.version else self


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is stored of a user, in this order. 0 is never, and an empty text none.

    The view of others has its own version and last-seen: if they rose while the user is invisible, they would tell.
    """

    user_id: UserId
    version: int = 0
    last_seen_ms: int = 0
    shown_version: int = 0
    shown_last_seen_ms: int = 0
    text: str = ""
    text_until_ms: int = 0
    devices: tuple[Device, ...] = ()

    def at(self, now_ms: int) -> "Record":
        """As it is at that moment: without a text that is over, though nobody may have taken it away yet."""
        if 0 < self.text_until_ms <= now_ms:
            return msgspec.structs.replace(self, text="", text_until_ms=0)
        return self

    def own(self) -> View:
        """What the user's own devices see: the truth."""
        return self._view(merge(self.devices), self.last_seen_ms, self.version)

    def shown(self) -> View:
        """What others see. Somebody invisible looks exactly like somebody who went offline at that moment."""
        status = merge(self.devices)
        if status in (Status.INVISIBLE, Status.OFFLINE):
            return View(self.user_id, last_seen_ms=self.shown_last_seen_ms or None, version=self.shown_version)
        return self._view(status, self.shown_last_seen_ms, self.shown_version)

    def _view(self, status: Status, last_seen_ms: int, version: int) -> View:
        return View(
            user_id=self.user_id,
            status=status,
            text=self.text or None,
            text_until_ms=self.text_until_ms or None,
            last_seen_ms=last_seen_ms or None,
            devices=_named(self.devices),
            version=version,
        )

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
            shown = msgspec.structs.replace(shown, version=max(shown.version, now_ms - CLOCKS_AGREE_MS))
        return shown.without_last_seen()

    def seen_anew(self, visibility: Visibility, now_ms: int, *, above: int) -> View:
        """The same, for who comes to see more or less than before, and was told a version up to ``above`` then.

        Its version is above that, above all that was shown so far, and below all to come: whoever keeps the highest
        keeps this one until something changes. 0 if nothing was ever shown, so there is nothing to tell.
        """
        if not self.shown_version and not above:
            return View(self.user_id)
        # Of who sees nothing it must not say, by what it is, whether the user has done something lately.
        least = now_ms if visibility is Visibility.NOTHING else now_ms - CLOCKS_AGREE_MS
        seen = self.seen(visibility, now_ms)
        return msgspec.structs.replace(seen, version=max(self.shown_version, above, least) + 1)


def _named(devices: tuple[Device, ...]) -> tuple[Device, ...]:
    """Those that a view names, in its order: those used last, if there are too many."""
    if len(devices) < 2:
        return devices
    latest = sorted(devices, key=_ACTIVE, reverse=True)[:MAX_DEVICES] if len(devices) > MAX_DEVICES else devices
    return tuple(sorted(latest, key=_NAME_AND_KIND))


_NAME_AND_KIND = attrgetter("name", "kind")
_ACTIVE = attrgetter("active_ms", "name", "kind")


@dataclass(frozen=True, slots=True)
class Totals:
    """How much there is on all nodes."""

    online: int
    """Users with a connection, live or held."""
    held: int
    """Connections that were lost and still count."""


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

"""The wire of what the staff may see of presence."""

from datetime import datetime
from typing import Literal

from hub.kernel.events import DeviceKind
from hub.kernel.pages import PageQuery
from hub.kernel.wire import Wire
from presence.schema import ChosenStatus, ShownStatus


class KnownConnection(Wire):
    """A connection that counts."""

    connection_id: str
    node_id: str
    since: datetime
    last_active: datetime | None
    """As far as its node has said: to some minutes while it is in use."""
    idle: bool
    state: Literal["live", "held"]
    """Held: it was lost, and counts until the hold is over, or its device comes back."""
    lost_at: datetime | None


class KnownDevice(Wire):
    """A device with a connection that counts."""

    device: str
    kind: DeviceKind
    chosen: ChosenStatus
    status: ShownStatus
    """What was chosen or, if that is online and nobody uses the device, away."""
    since: datetime
    last_active: datetime | None
    connections: list[KnownConnection]


class KnownPresence(Wire):
    """The truth about a user, and what others are shown of it by default."""

    user_id: str
    status: ShownStatus
    shown_status: ShownStatus
    text: str | None
    text_expires_at: datetime | None
    last_seen: datetime | None
    shown_last_seen: datetime | None
    version: int
    shown_version: int
    devices: list[KnownDevice]


class HistoryQuery(PageQuery):
    """Query of ``GET /admin/users/{id}/presence/history``."""


class PastPresence(Wire):
    """A change of somebody's presence, or of a device of theirs."""

    at: datetime
    status: ShownStatus
    """From then on: the truth, ``invisible`` included."""
    version: int

"""From the model to the wire."""

from msgspec import UNSET

from hub.kernel.clock import from_ms
from hub.kernel.ids import RoomName, UserId
from presence.model import Status, View
from presence.schema import DevicePresence, Presence, ShownStatus

STATUS_NAMES: dict[Status, ShownStatus] = {
    Status.OFFLINE: "offline",
    Status.AWAY: "away",
    Status.ONLINE: "online",
    Status.BUSY: "busy",
    Status.DND: "dnd",
    Status.INVISIBLE: "invisible",
}
STATUSES = {name: status for status, name in STATUS_NAMES.items()}


def watch_room(user_id: UserId) -> RoomName:
    """The room of the connections that watch a user. Of the hub's own: clients can neither join nor name it."""
    return RoomName(f"presence:{user_id}")


def presence(view: View) -> Presence:
    """A view as it stands on the wire."""
    return Presence(
        user_id=view.user_id,
        status=STATUS_NAMES[view.status],
        text=UNSET if view.text is None else view.text,
        text_expires_at=UNSET if view.text_until_ms is None else from_ms(view.text_until_ms),
        last_seen=None if view.last_seen_ms is None else from_ms(view.last_seen_ms),
        devices=[
            DevicePresence(
                device=device.name,
                kind=device.kind,
                status=STATUS_NAMES[device.status],
                since=from_ms(device.since_ms),
                last_active=from_ms(device.active_ms),
            )
            for device in view.devices
        ],
        version=view.version,
    )

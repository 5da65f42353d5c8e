"""From the model to the wire."""

from msgspec import UNSET

from hub.kernel.clock import from_ms
from hub.kernel.ids import RoomName, UserId
from hub.kernel.sight import Circle, Visibility
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
ROOM_ENDINGS = {Visibility.EVERYTHING: "", Visibility.STATUS: ":status", Visibility.NOTHING: ":nothing"}
SHOWING = (Visibility.EVERYTHING, Visibility.STATUS)
"""The watch rooms of these are told of changes."""
VISIBILITIES = {ending: visibility for visibility, ending in ROOM_ENDINGS.items()}
STATUSES = {name: status for status, name in STATUS_NAMES.items()}


def watch_room(user_id: UserId, visibility: Visibility = Visibility.EVERYTHING) -> RoomName:
    """The room of the connections that watch a user of whom they see so much. Clients can neither join nor name it."""
    return RoomName(f"presence:{user_id}{ROOM_ENDINGS[visibility]}")


def watched_in(room: str) -> tuple[UserId, Visibility] | None:
    """Whom the members of a room of the kind ``presence``, named without it, watch, and how much of them they see.

    ``None`` of the room of a circle.
    """
    user_id, colon, ending = room.partition(":")
    visibility = VISIBILITIES.get(colon + ending)
    return None if visibility is None else (UserId(user_id), visibility)


def circle_room(user_id: UserId, circle: Circle) -> RoomName:
    """The room of the connections of a user that watch a circle. Nothing is sent to it."""
    return RoomName(f"presence:{user_id}:{circle}")


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
                last_active=from_ms(device.active_ms) if device.active_ms else UNSET,
            )
            for device in view.devices
        ],
        version=view.version,
    )

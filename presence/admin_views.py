"""What the staff sees, as it stands on the wire."""

from datetime import datetime
from typing import cast

from hub.kernel.clock import from_ms
from presence import inspection
from presence.admin_schema import KnownConnection, KnownDevice, KnownPresence, PastPresence
from presence.history import Past
from presence.inspection import Known
from presence.schema import ChosenStatus
from presence.views import STATUS_NAMES


def known_presence(known: Known, now_ms: int) -> KnownPresence:
    """All of a user, as it is now."""
    record = known.record.at(now_ms)
    own, shown = record.own(), record.shown()
    return KnownPresence(
        user_id=known.user_id,
        status=STATUS_NAMES[own.status],
        shown_status=STATUS_NAMES[shown.status],
        text=own.text,
        text_expires_at=_time(own.text_until_ms),
        last_seen=_time(own.last_seen_ms),
        shown_last_seen=_time(shown.last_seen_ms),
        version=own.version,
        shown_version=shown.version,
        devices=[_device(device) for device in sorted(known.devices, key=lambda device: (device.name, device.kind))],
    )


def past_presence(past: Past) -> PastPresence:
    """A change of the past."""
    return PastPresence(at=past.at, status=STATUS_NAMES[past.status], version=past.version)


def _device(known: inspection.KnownDevice) -> KnownDevice:
    return KnownDevice(
        device=known.name,
        kind=known.kind,
        chosen=cast("ChosenStatus", STATUS_NAMES[known.chosen]),  # nobody chooses to be offline
        status=STATUS_NAMES[known.device.status],
        since=from_ms(known.since_ms),
        last_active=_time(known.active_ms),
        connections=[_connection(one) for one in sorted(known.connections, key=lambda one: one.connection_id)],
    )


def _connection(known: inspection.KnownConnection) -> KnownConnection:
    return KnownConnection(
        connection_id=known.connection_id,
        node_id=known.node_id,
        since=from_ms(known.since_ms),
        last_active=_time(known.active_ms),
        idle=known.idle,
        state="held" if known.lost_ms else "live",
        lost_at=_time(known.lost_ms),
    )


def _time(unix_ms: int | None) -> datetime | None:
    return from_ms(unix_ms) if unix_ms else None

"""Connections for tests of the presence store, and short ways to what it gives."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

import msgspec

from hub.kernel.ids import ConnectionId, NodeId, UserId
from presence.model import Change, Connection, Held, Record, View
from presence.store_redis import RedisPresenceStore

T0 = 1_800_000_000_000
HOLD_MS = 5000
N1, N2 = NodeId("01NODE1"), NodeId("01NODE2")


def connection(user_id: UserId, name: str, device: str = "web", node_id: NodeId = N1) -> Connection:
    return Connection(ConnectionId(name), user_id, node_id, device)


def idle(one: Connection, since_ms: int) -> Connection:
    return replace(one, idle=True, active_ms=since_ms)


def active(one: Connection, at_ms: int) -> Connection:
    return replace(one, idle=False, active_ms=at_ms)


def losses(connections: Iterable[Connection], lost_ms: int, hold_ms: int = HOLD_MS) -> list[Held]:
    """Connections that were lost at the same moment."""
    return [Held(one, lost_ms, lost_ms + hold_ms) for one in connections]


async def all_of(changes: AsyncIterator[Change]) -> list[Change]:
    return [change async for change in changes]


def said(record: Record) -> Record:
    """A record without what is renewed under the same version: when devices were active."""
    devices = tuple(msgspec.structs.replace(device, active_ms=0) for device in record.devices)
    return msgspec.structs.replace(record, devices=devices)


async def shown(store: RedisPresenceStore, user_id: UserId) -> View:
    [record] = await store.read([user_id], T0)
    return record.shown()

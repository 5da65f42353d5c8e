"""What every feature is built on, and what a feature adds to the hub."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg
from redis.asyncio import Redis

from core_api.accounts.access import AccessRule
from core_api.accounts.sight import SightRule
from core_api.accounts.store_postgres_people import PostgresPeople
from core_api.outbox_relay import OutboxRelay
from hub.cluster.bus import Bus
from hub.cluster.leases import RedisNodes
from hub.cluster.operations import ClusterOperations
from hub.cluster.records import Records
from hub.cluster.redis_emitter import RedisEmitter
from hub.cluster.rooms import ClusterRooms
from hub.config import Settings
from hub.gate.access_reviews import Expel
from hub.gate.rate_limits import RedisRateLimiter
from hub.gate.reviews import Reviews
from hub.gate.revocations import RedisRevocations
from hub.kernel.clock import Clock
from hub.kernel.events import EventRouter
from hub.kernel.http import RestApi
from hub.kernel.ids import NodeId
from hub.kernel.limited import Limited
from hub.kernel.ports import Roles
from hub.kernel.tasks import Tasks
from hub.lifecycle import Step
from hub.transport.forwarding.forwarder import Forwarder
from hub.transport.front import Doorkeeper
from hub.transport.http import Mount
from hub.transport.namespaces import NodeNamespaces
from hub.transport.sockets import Sockets
from hub.transport.token_expiry import TokenExpiry


@dataclass
class Core:
    """What every feature is built on."""

    settings: Settings
    pool: asyncpg.Pool
    redis: Redis
    clock: Clock
    tasks: Tasks
    node_id: NodeId
    namespaces: NodeNamespaces
    door: Doorkeeper
    forwarder: Forwarder
    sockets: Sockets
    expiry: TokenExpiry
    nodes: RedisNodes
    bus: Bus
    records: Records
    rooms: ClusterRooms
    emitter: RedisEmitter | None
    operations: ClusterOperations
    limiter: RedisRateLimiter
    revocations: RedisRevocations
    people: PostgresPeople
    roles: dict[str, Roles]
    """Filled by the features that own a kind of resource."""
    expel: dict[str, Expel]
    """How each kind of resource puts somebody out who may no longer read it; filled by the same."""
    access: AccessRule
    reviews: Reviews
    """Whoever has to look again when rights change; features add their own."""
    sight: SightRule
    outbox: OutboxRelay


@dataclass(kw_only=True)
class Feature:
    """What a feature adds to the hub."""

    apis: Sequence[RestApi] = ()
    events: EventRouter = field(default_factory=EventRouter)
    starts: Sequence[Step] = ()
    drains: Sequence[Step] = ()
    """Run when the node begins to send its clients elsewhere."""
    closes: Sequence[Step] = ()
    mounts: Sequence[Mount] = ()
    limited: Limited | None = None
    """What it limits beside its routes and events."""

"""Composition root: the one place that knows every concrete class."""

import platform
import time
from collections.abc import Callable, Mapping, Sequence

import asyncpg
from redis.asyncio import Redis

from core_api.accounts.access import AccessRule
from core_api.accounts.authenticator import AccessTokenAuthenticator
from core_api.accounts.sight import SightRule
from core_api.accounts.signing_key import KeyFileError, SigningKey, load_or_create, new_key
from core_api.accounts.staff import Staff
from core_api.accounts.store_postgres import PostgresAccounts
from core_api.accounts.store_postgres_people import PostgresPeople
from core_api.accounts.store_postgres_privacy import PostgresPrivacy
from core_api.accounts.store_postgres_staff import PostgresStaff
from core_api.accounts.tokens import TokenVerifier
from core_api.outbox_relay import OutboxRelay
from hub import schema
from hub.cluster.bus import Bus
from hub.cluster.leases import RedisNodes
from hub.cluster.operations import ClusterOperations
from hub.cluster.records import Records
from hub.cluster.recovery import ConnectionRecovery
from hub.cluster.redis_emitter import RedisEmitter
from hub.cluster.requests import NodeRequests
from hub.cluster.rooms import ClusterRooms
from hub.cluster.servers import servers_of
from hub.config import ConfigError, Settings
from hub.features import administration, attendance, chain, companions, editors, graphql, live, oversight, social
from hub.features.core import Core, Feature
from hub.features.limits import limits
from hub.gate.access_reviews import AccessReviews, Expel
from hub.gate.handshake import Handshake
from hub.gate.rate_limits import RedisRateLimiter
from hub.gate.reauthentication import Reauthentication, reauthentication_events
from hub.gate.reviews import Reviews
from hub.gate.revocations import RedisRevocations
from hub.gate.tickets import TicketOffice, tickets_api
from hub.kernel.clock import Clock, SystemClock
from hub.kernel.events import EventRouter, merge
from hub.kernel.http import RestApi
from hub.kernel.ids import NodeId, new_ulid, tag_of
from hub.kernel.limited import Limited
from hub.kernel.operations import NodeReport
from hub.kernel.ports import Authenticator, Roles
from hub.kernel.tasks import Tasks
from hub.lifecycle import Hub
from hub.storage.answers import PostgresAnswers
from hub.storage.postgres import PostgresProbe, create_pool
from hub.storage.redis import RedisProbe, connect
from hub.transport.admin_ui import PasswordFileError, serve_admin_ui
from hub.transport.connections_here import ConnectionsHere
from hub.transport.forwarding.forwarder import Forwarder
from hub.transport.front import Doorkeeper
from hub.transport.health import Health
from hub.transport.http import application
from hub.transport.namespaces import NodeNamespaces
from hub.transport.node_entrance import NodeEntrance
from hub.transport.origins import OriginRule
from hub.transport.socketio.server import SocketServer
from hub.transport.sockets import Sockets
from hub.transport.token_expiry import TokenExpiry
from hub.version import __version__
from presence.places_redis import RedisPlaces

REVOCATION_MARGIN_S = 60
"""A refresh that runs beside a sign-out can sign a token slightly after the revocation was written."""


def build(
    settings: Settings, *, pool: asyncpg.Pool, redis: Redis, key: SigningKey | None = None, clock: Clock | None = None
) -> Hub:
    """Compose a node. Nothing is connected before ``Hub.start``.

    ``key`` and ``clock`` replace the key of the settings' file and the system's clock. Raises ConfigError if the key
    file, or that with the Admin UI's password, cannot be used, or limits are set of what does not exist.
    """
    core = _core(settings, pool, redis, clock or SystemClock())
    key = key or _key_of(settings)
    authenticator = _authenticator(core, key)
    answers = PostgresAnswers(pool, core.clock)
    staff = Staff(PostgresStaff(pool), core.clock, core.outbox.nudge)
    features = _features(core, key, authenticator, staff)
    apis, router, limited = _interface(features)
    tickets = TicketOffice(redis, core.clock, core.limiter, authenticator)
    apis.append(tickets_api(tickets))
    recovery = ConnectionRecovery(core.bus, core.rooms, core.records)
    gate = Handshake(
        authenticator,
        authenticator,
        tickets,
        core.revocations,
        core.limiter,
        core.clock,
        settings.gate,
        recovery,
        RedisPlaces(redis, core.clock),
    )
    allowed = limits(core, apis, router, limited)
    core.sockets.serve(gate, router, allowed, recovery, recovers=settings.cluster.recovery_s > 0)
    health = Health(
        core.node_id,
        [PostgresProbe(pool), RedisProbe(redis), core.bus],
        peer_ports=settings.peer_ports,
        metrics_token=settings.metrics_token,
    )
    web = application(
        apis,
        health,
        core.door,
        authenticator,
        answers,
        allowed,
        documents=lambda: schema.documents(router, apis, limited, version=__version__),
        staff=staff,
        mounts=[mount for feature in features for mount in feature.mounts],
        connects=[url for url in [settings.media.janus_client_url] if url],
    )

    async def background() -> None:
        core.tasks.start(answers.run(), name="purge of old answers")
        core.tasks.start(core.records.run(), name="records of connections")
        if core.emitter is not None:
            core.tasks.start(core.emitter.run(), name="events of other programs")
        allowed.start(core.tasks)

    return Hub(
        node_id=core.node_id,
        web=web,
        door=core.door,
        entrance=NodeEntrance(core.door),
        forwarder=core.forwarder,
        sockets=core.sockets,
        nodes=core.nodes,
        bus=core.bus,
        records=core.records,
        health=health,
        tasks=core.tasks,
        starts=[step for feature in features for step in feature.starts] + [background],
        drains=[step for feature in features for step in feature.drains],
        closes=[step for feature in features for step in feature.closes],
    )


def describe() -> Mapping[str, str]:
    """The documents of the wire (file name → text), without any server: nothing that is composed here connects."""
    settings = Settings()
    pool = create_pool("postgresql://nowhere", size=settings.postgres_pool)
    core = _core(settings, pool, connect("redis://nowhere", size=2), SystemClock())
    key = new_key()
    authenticator = _authenticator(core, key)
    apis, router, limited = _interface(_features(core, key, authenticator, Staff(PostgresStaff(pool), core.clock)))
    apis.append(tickets_api(TicketOffice(core.redis, core.clock, core.limiter, authenticator)))
    return schema.documents(router, apis, limited, version=__version__)


def _interface(features: Sequence[Feature]) -> tuple[list[RestApi], EventRouter, list[Limited]]:
    """What clients may ask for, and what else is limited."""
    apis = [api for feature in features for api in feature.apis]
    limited = [feature.limited for feature in features if feature.limited is not None]
    return apis, merge(*(feature.events for feature in features)), limited


def _core(settings: Settings, pool: asyncpg.Pool, redis: Redis, clock: Clock) -> Core:
    tasks, node_id = Tasks(), NodeId(new_ulid())
    server = SocketServer(settings.sockets, node=tag_of(node_id))
    expiry = TokenExpiry(clock, settings.gate.expiry_notice_s)
    sockets = Sockets(server, node_id, tasks, expiry)
    nodes = RedisNodes(redis, node_id, tasks)
    servers = servers_of(settings.redis_url or "redis://nowhere")
    bus = Bus(servers, node_id, tasks, shards=settings.shards)
    sockets.offset = lambda: bus.offset
    records = Records(bus, sockets.drop, window_s=settings.cluster.recovery_s)
    rooms = ClusterRooms(sockets, bus, records, tasks)
    peers = NodeRequests(bus, nodes, tasks)
    try:
        serve_admin_ui(server, sockets, rooms, settings.admin_ui, node_id, peers)
    except PasswordFileError as error:
        raise ConfigError(f"SPARKLE_ADMIN_UI_PASSWORD_FILE: {error}") from None
    here = ConnectionsHere(server, node_id)
    operations = ClusterOperations(peers, rooms, sockets, here, bus, _about(settings, node_id, sockets))
    heartbeat_s = settings.sockets.ping_interval_s + settings.sockets.ping_timeout_s
    forwarder = Forwarder(nodes, tasks, secret=settings.cluster.secret, heartbeat_s=heartbeat_s)
    people = PostgresPeople(pool)
    roles: dict[str, Roles] = {}
    expel: dict[str, Expel] = {}
    access = AccessRule(roles, people)
    reviews = Reviews(tasks)
    reviews.add(AccessReviews(sockets, access, expel))
    rooms.reviewer = reviews.begin
    token_life_s = settings.accounts.access_token_s + REVOCATION_MARGIN_S
    return Core(
        settings=settings,
        pool=pool,
        redis=redis,
        clock=clock,
        tasks=tasks,
        node_id=node_id,
        namespaces=NodeNamespaces(server),
        door=Doorkeeper(server.engine, OriginRule(settings.origins), forwarder),
        forwarder=forwarder,
        sockets=sockets,
        expiry=expiry,
        nodes=nodes,
        bus=bus,
        records=records,
        rooms=rooms,
        emitter=RedisEmitter(servers, sockets, rooms, tasks, settings.cluster.emitter_key)
        if settings.cluster.emitter_key
        else None,
        operations=operations,
        limiter=RedisRateLimiter(redis),
        revocations=RedisRevocations(redis, rooms, token_life_s=token_life_s),
        people=people,
        roles=roles,
        expel=expel,
        access=access,
        reviews=reviews,
        sight=SightRule(PostgresPrivacy(pool)),
        outbox=OutboxRelay(pool, redis),
    )


def _about(settings: Settings, node_id: NodeId, sockets: Sockets) -> Callable[[], NodeReport]:
    """What the node says of itself when it is asked."""
    began = time.monotonic()
    return lambda: NodeReport(
        node_id=node_id,
        name=settings.node_name,
        version=__version__,
        hostname=platform.node(),
        uptime_s=round(time.monotonic() - began, 3),
        connections=len(sockets),
    )


def _key_of(settings: Settings) -> SigningKey:
    try:
        return load_or_create(settings.key_file)
    except KeyFileError as error:
        raise ConfigError(f"SPARKLE_JWT_KEY_FILE: {error}") from None


def _authenticator(core: Core, key: SigningKey) -> AccessTokenAuthenticator:
    verifier = TokenVerifier([key], core.settings.accounts, core.clock)
    return AccessTokenAuthenticator(verifier, core.revocations, PostgresAccounts(core.pool))


def _features(core: Core, key: SigningKey, authenticator: Authenticator, staff: Staff) -> list[Feature]:
    """Every feature, in the order in which they start and stop."""
    presence = live.presence(core)
    content, documents, calls = social.content(core), live.documents(core, key), live.calls(core)
    talk, minting = companions.feature(core), chain.feature(core, content.posts)

    return [
        social.accounts(core, key, separate=calls.separate),
        social.rooms(core),
        content,
        presence,
        attendance.feature(core, presence.watching),
        documents,
        editors.feature(core, key, documents.editing),
        calls,
        talk,
        minting,
        administration.feature(core, staff),
        oversight.feature(core),
        _tokens(core, authenticator),
        _outbox(core),
        graphql.feature(
            core, authenticator, content=content, documents=documents, companions=talk, chain=minting, presence=presence
        ),
    ]


def _tokens(core: Core, authenticator: Authenticator) -> Feature:
    """What becomes of connections whose token runs out."""
    events = reauthentication_events(Reauthentication(authenticator, core.sockets))
    return Feature(events=events, closes=[core.expiry.close])


def _outbox(core: Core) -> Feature:
    async def start() -> None:
        core.tasks.start(core.outbox.run(), name="outbox relay")

    return Feature(starts=[start])

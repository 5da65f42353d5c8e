"""Composition root: the one place that knows every concrete class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg
from redis.asyncio import Redis

from collab.engine import Engine
from collab.handlers import collab_events
from collab.hints_redis import RedisHints
from collab.live import LiveDocuments
from collab.log_postgres import PostgresLog
from collab.routes import documents_api
from collab.service import DocumentRoles, DocumentService
from collab.store_postgres import PostgresDocumentStore
from core_api.accounts.access import AccessRule
from core_api.accounts.authenticator import AccessTokenAuthenticator
from core_api.accounts.passwords import Passwords
from core_api.accounts.people import People, Separate
from core_api.accounts.refresh import RefreshTokens
from core_api.accounts.routes import accounts_api, people_api
from core_api.accounts.service import Accounts
from core_api.accounts.signing_key import KeyFileError, SigningKey, load_or_create, new_key
from core_api.accounts.store_postgres import PostgresAccounts
from core_api.accounts.store_postgres_people import PostgresPeople
from core_api.accounts.tokens import TokenSigner, TokenVerifier
from core_api.content.handlers import content_events
from core_api.content.roles import ContentRoles
from core_api.content.routes import content_api
from core_api.content.service import Posts
from core_api.content.store_postgres import PostgresPosts
from core_api.content.subscriptions import Subscriptions
from core_api.outbox_relay import OutboxRelay
from core_api.rooms.handlers import room_events
from core_api.rooms.live import LiveRooms
from core_api.rooms.people_there_redis import RedisPeopleThere
from core_api.rooms.roles import RoomRoles
from core_api.rooms.routes import rooms_api
from core_api.rooms.service import RoomDirectory
from core_api.rooms.store_postgres import PostgresRooms
from hub import schema
from hub.cluster.broker import RedisBroker
from hub.cluster.leases import RedisNodes
from hub.cluster.rooms import ClusterRooms
from hub.config import ConfigError, Settings
from hub.gate.handshake import Handshake
from hub.gate.rate_limits import RedisRateLimiter
from hub.gate.revocations import RedisRevocations
from hub.gate.tickets import TicketOffice, tickets_api
from hub.kernel.clock import Clock, SystemClock
from hub.kernel.events import EventRouter, merge
from hub.kernel.http import RestApi
from hub.kernel.ids import NodeId, new_ulid
from hub.kernel.ports import Roles
from hub.kernel.tasks import Tasks
from hub.lifecycle import Hub, Step
from hub.storage.answers import PostgresAnswers
from hub.storage.postgres import PostgresProbe, create_pool
from hub.storage.redis import RedisProbe, connect
from hub.transport.health import Health
from hub.transport.http import application
from hub.transport.sockets import Sockets
from hub.version import __version__
from presence.diffs import Diffs
from presence.handlers import presence_events
from presence.routes import presence_api
from presence.service import PresenceService
from presence.store_redis import RedisPresenceStore
from presence.sweeper import Sweeper
from presence.typing_indicator import TypingIndicator
from signaling.handlers import call_events
from signaling.ice import Ice
from signaling.legs import LocalLegs
from signaling.routes import call_api
from signaling.service import CallService
from signaling.store_redis import RedisCallStore
from signaling.sweeper import CallSweeper

REVOCATION_MARGIN_S = 60
"""A refresh that runs beside a sign-out can sign a token slightly after the revocation was written."""


@dataclass
class Core:
    """What every feature is built on."""

    settings: Settings
    pool: asyncpg.Pool
    redis: Redis
    clock: Clock
    tasks: Tasks
    node_id: NodeId
    sockets: Sockets
    nodes: RedisNodes
    broker: RedisBroker
    rooms: ClusterRooms
    limiter: RedisRateLimiter
    revocations: RedisRevocations
    people: PostgresPeople
    roles: dict[str, Roles]
    """Filled by the features that own a kind of resource."""
    access: AccessRule
    outbox: OutboxRelay


@dataclass
class Feature:
    """What a feature adds to the hub."""

    apis: Sequence[RestApi] = ()
    events: EventRouter = field(default_factory=EventRouter)
    starts: Sequence[Step] = ()
    closes: Sequence[Step] = ()


def build(
    settings: Settings, *, pool: asyncpg.Pool, redis: Redis, key: SigningKey | None = None, clock: Clock | None = None
) -> Hub:
    """Compose a node. Nothing is connected before ``Hub.start``.

    ``key`` and ``clock`` replace the key of the settings' file and the system's clock. Raises ConfigError if the key
    file cannot be used.
    """
    core = _core(settings, pool, redis, clock or SystemClock())
    key = key or _key_of(settings)
    authenticator = _authenticator(core, key)
    answers = PostgresAnswers(pool, core.clock)
    features = _features(core, key)
    apis, router = _interface(features)
    tickets = TicketOffice(redis, core.clock, core.limiter, core.revocations)
    apis.append(tickets_api(tickets))
    gate = Handshake(authenticator, tickets, core.revocations, core.limiter, core.clock, settings.gate)
    core.sockets.serve(gate, router)
    core.sockets.left = core.rooms.left
    health = Health(
        core.node_id,
        [PostgresProbe(pool), RedisProbe(redis), core.broker],
        peer_ports=settings.peer_ports,
        metrics_token=settings.metrics_token,
    )
    web = application(
        apis,
        health,
        core.sockets,
        authenticator,
        answers,
        origins=settings.origins,
        documents=lambda: schema.documents(router, apis, version=__version__),
    )

    async def purge_answers() -> None:
        core.tasks.start(answers.run(), name="purge of old answers")

    return Hub(
        node_id=core.node_id,
        web=web,
        sockets=core.sockets,
        nodes=core.nodes,
        broker=core.broker,
        health=health,
        tasks=core.tasks,
        starts=[step for feature in features for step in feature.starts] + [purge_answers],
        closes=[step for feature in features for step in feature.closes],
    )


def describe() -> Mapping[str, str]:
    """The documents of the wire (file name → text), without any server: nothing that is composed here connects."""
    settings = Settings()
    pool = create_pool("postgresql://nowhere", size=settings.postgres_pool)
    core = _core(settings, pool, connect("redis://nowhere", size=2), SystemClock())
    apis, router = _interface(_features(core, new_key()))
    apis.append(tickets_api(TicketOffice(core.redis, core.clock, core.limiter, core.revocations)))
    return schema.documents(router, apis, version=__version__)


def _interface(features: Sequence[Feature]) -> tuple[list[RestApi], EventRouter]:
    return [api for feature in features for api in feature.apis], merge(*(feature.events for feature in features))


def _core(settings: Settings, pool: asyncpg.Pool, redis: Redis, clock: Clock) -> Core:
    tasks, node_id = Tasks(), NodeId(new_ulid())
    sockets = Sockets(node_id, tasks)
    nodes = RedisNodes(redis, node_id, tasks)
    broker = RedisBroker(redis, node_id, tasks)
    rooms = ClusterRooms(sockets, broker, redis, nodes)
    people = PostgresPeople(pool)
    roles: dict[str, Roles] = {}
    token_life_s = settings.accounts.access_token_s + REVOCATION_MARGIN_S
    return Core(
        settings=settings,
        pool=pool,
        redis=redis,
        clock=clock,
        tasks=tasks,
        node_id=node_id,
        sockets=sockets,
        nodes=nodes,
        broker=broker,
        rooms=rooms,
        limiter=RedisRateLimiter(redis),
        revocations=RedisRevocations(redis, rooms, token_life_s=token_life_s),
        people=people,
        roles=roles,
        access=AccessRule(roles, people),
        outbox=OutboxRelay(pool, redis),
    )


def _key_of(settings: Settings) -> SigningKey:
    try:
        return load_or_create(settings.key_file)
    except KeyFileError as error:
        raise ConfigError(f"SPARKLE_JWT_KEY_FILE: {error}") from None


def _authenticator(core: Core, key: SigningKey) -> AccessTokenAuthenticator:
    verifier = TokenVerifier([key], core.settings.accounts, core.clock)
    return AccessTokenAuthenticator(verifier, core.revocations, PostgresAccounts(core.pool))


def _features(core: Core, key: SigningKey) -> list[Feature]:
    """Every feature, in the order in which they start and stop."""
    presence, separate = _presence(core)
    return [
        _accounts(core, key, separate),
        _rooms(core),
        _content(core),
        presence,
        _documents(core),
        _calls(core),
        _outbox(core),
    ]


def _accounts(core: Core, key: SigningKey, separate: Separate) -> Feature:
    settings = core.settings.accounts
    passwords = Passwords(settings)
    accounts = Accounts(
        PostgresAccounts(core.pool),
        passwords,
        TokenSigner(key, settings, core.clock),
        RefreshTokens(key.derive("refresh")),
        core.limiter,
        core.revocations,
        core.clock,
        settings,
    )

    async def close() -> None:
        passwords.close()

    return Feature(
        apis=[accounts_api(accounts), people_api(People(core.people, core.clock, separate=separate))], closes=[close]
    )


def _rooms(core: Core) -> Feature:
    store = PostgresRooms(core.pool)
    roles = core.roles["room"] = RoomRoles(store, core.access)
    there = RedisPeopleThere(core.redis, core.nodes)
    live = LiveRooms(store, there, core.rooms, core.access, roles, core.clock)
    directory = RoomDirectory(store, core.access, core.people, core.clock, expel=live.expel, nudge=core.outbox.nudge)
    core.outbox.add(live.sinks())
    return Feature(apis=[rooms_api(directory)], events=room_events(live))


def _content(core: Core) -> Feature:
    store = PostgresPosts(core.pool)
    core.roles["content"] = ContentRoles(store, core.access)
    posts = Posts(store, core.access, core.people, core.clock, nudge=core.outbox.nudge)
    subscriptions = Subscriptions(store, core.rooms, core.access, core.people, core.people)
    core.outbox.add(subscriptions.sinks())
    return Feature(apis=[content_api(posts)], events=content_events(subscriptions))


def _documents(core: Core) -> Feature:
    settings = core.settings.collab
    store = PostgresDocumentStore(core.pool)
    core.roles["document"] = DocumentRoles(store, core.access)
    log = PostgresLog(core.pool, core.settings.database_url or "")
    engine = Engine(log, RedisHints(core.redis), settings)
    live = LiveDocuments(engine, store, core.access, core.rooms, settings)
    documents = DocumentService(store, core.access, core.people, core.rooms, core.clock, settings)

    async def start() -> None:
        engine.start()
        live.start()

    return Feature(
        apis=[documents_api(documents)],
        events=collab_events(live),
        starts=[start],
        closes=[engine.close, live.close],
    )


def _outbox(core: Core) -> Feature:
    async def start() -> None:
        core.tasks.start(core.outbox.run(), name="outbox relay")

    return Feature(starts=[start])


def _presence(core: Core) -> tuple[Feature, Separate]:
    """Presence and typing; and what ends the view that two people have of each other."""
    settings = core.settings.presence
    store = RedisPresenceStore(core.redis)
    diffs = Diffs(core.rooms, core.tasks, settings.coalesce_s)
    service = PresenceService(store, diffs, core.rooms, core.access, core.nodes, core.clock)
    typing = TypingIndicator(core.rooms, core.clock, settings)
    sweeper = Sweeper(store, service, typing, diffs, core.nodes, core.clock, settings)

    async def start() -> None:
        sweeper.start(core.tasks)

    feature = Feature(
        apis=[presence_api(service)],
        events=presence_events(service, typing),
        starts=[start],
        closes=[service.close],
    )
    return feature, service.separate


def _calls(core: Core) -> Feature:
    settings = core.settings.calls
    legs, ice = LocalLegs(), Ice(core.settings.ice, core.clock)
    store = RedisCallStore(core.redis, core.clock, settings)
    service = CallService(store, core.rooms, core.access, core.people, legs, core.clock, settings)
    sweeper = CallSweeper(service, legs, settings)

    async def start() -> None:
        sweeper.start(core.tasks)

    return Feature(apis=[call_api(ice)], events=call_events(service, ice), starts=[start])

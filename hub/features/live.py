"""Presence, documents and calls."""

from dataclasses import dataclass

from collab.awareness_exchange import AwarenessExchange
from collab.changes import ChangeFeed
from collab.compaction import Compaction
from collab.compactor_process import CompactorProcess
from collab.editing import Editing
from collab.engine import Engine
from collab.handlers import collab_events
from collab.hints_redis import RedisHints
from collab.history.recorder import Contributions
from collab.history.store_postgres import PostgresContributions
from collab.live import LiveDocuments
from collab.log_postgres import PostgresLog
from collab.routes import documents_api
from collab.service import DocumentRoles, DocumentService
from collab.store_postgres import PostgresDocumentStore
from core_api import outbox
from core_api.accounts.calling import CallRule
from core_api.accounts.gathered import GatheredStandings
from core_api.accounts.people import ActOnTwo
from core_api.accounts.signing_key import SigningKey
from core_api.accounts.store_postgres_privacy import PostgresPrivacy
from hub.cluster.lent_link import lent_by
from hub.cluster.servers import link_to_any, servers_of
from hub.features import oversight
from hub.features.core import Core, Feature
from hub.features.documents import library as documents_library
from hub.features.media import media_engines
from hub.kernel import redis_url
from hub.kernel.events import merge
from presence.burials import Burials
from presence.connections_here import ConnectionsHere
from presence.diffs import Diffs
from presence.feeds import PresenceFeeds
from presence.handlers import presence_events
from presence.holds import Holds
from presence.idleness import Idleness
from presence.memory import Reading
from presence.memory_redis import RedisMemory
from presence.relay import Relay
from presence.routes import presence_api
from presence.service import PresenceService
from presence.store_redis import MEMORIES, RedisPresenceStore
from presence.sweeper import Sweeper
from presence.transitions import Told
from presence.typing_indicator import TypingIndicator
from presence.watchers import Watchers
from presence.watching import Watching
from signaling.busy_redis import RedisBusyLines
from signaling.carriage import Carriage
from signaling.deadlines import Deadlines
from signaling.handlers import call_events, pre_call_events
from signaling.history_postgres import PostgresCallHistory
from signaling.ice import Ice
from signaling.legs import LocalLegs
from signaling.media.embedded.rescuer import Rescuer
from signaling.media.livekit_webhooks import LiveKitWebhooks
from signaling.moves import Moves
from signaling.placing import Placing
from signaling.pre_call import PreCall
from signaling.redis_commands import ClientCommands, Commands, LinkedCommands
from signaling.relay import Relay as CallsRelay
from signaling.routes import call_api
from signaling.service import CallService
from signaling.store_redis import RedisCallStore
from signaling.sweeper import CallSweeper
from signaling.telling import Telling
from signaling.told import Told as CallsTold


@dataclass(kw_only=True)
class Presence(Feature):
    """Presence, which can also be followed by GraphQL."""

    feeds: PresenceFeeds
    watching: Watching


def presence(core: Core) -> Presence:
    """Presence and typing."""
    settings = core.settings.presence
    store = RedisPresenceStore(core.redis)
    transitions = oversight.transitions(core)
    told = Told(transitions, core.rooms, core.tasks)
    diffs = Diffs(core.rooms, told, core.tasks, settings.coalesce_s)
    relay = Relay(store, transitions, told, diffs, core.clock, settings.overdue_s + settings.coalesce_s)
    here = ConnectionsHere(core.sockets, core.clock)
    service = PresenceService(here, store, diffs, core.nodes, core.tasks, core.clock, settings)
    idleness = Idleness(here, store, diffs, core.clock, settings.away_s)
    memory = RedisMemory(core.redis, MEMORIES, core.nodes, core.clock)
    reading = Reading(store, memory)
    watchers = Watchers(reading, core.rooms, core.sight, core.clock)
    watching = Watching(service, reading, watchers, core.sight, core.clock)
    feeds = PresenceFeeds(reading, core.rooms, core.sight, core.tasks, core.clock)
    core.reviews.add(watching)
    core.reviews.add(feeds)
    typing = TypingIndicator(core.rooms, core.clock, settings, core.sight)
    core.reviews.add(typing)
    sweeper = Sweeper(store, here, service, idleness, typing, relay, memory, settings)
    holds = Holds(store, diffs, core.clock)
    burials = Burials(store, diffs, core.nodes, core.clock)

    async def start() -> None:
        await sweeper.begin()
        sweeper.start(core.tasks)
        holds.start(core.tasks)
        burials.start(core.tasks)

    return Presence(
        apis=[presence_api(watching)],
        events=presence_events(service, idleness, watching, typing),
        starts=[start],
        drains=[service.drain],
        closes=[service.close],
        feeds=feeds,
        watching=watching,
    )


@dataclass(kw_only=True)
class Documents(Feature):
    """Documents, what edits them, and the news that one has changed."""

    changes: ChangeFeed
    editing: Editing


def documents(core: Core, key: SigningKey) -> Documents:
    """Documents and live editing."""
    settings = core.settings.collab
    store = PostgresDocumentStore(core.pool, outbox.append)
    roles = core.roles["document"] = DocumentRoles(store, core.access)
    log = PostgresLog(core.pool, core.settings.database_url or "")
    compaction = Compaction(CompactorProcess(core.settings.database_url or ""), log, after=settings.compact_after)
    hints = RedisHints(link_to_any(servers_of(core.settings.redis_url or "redis://nowhere")))
    engine = Engine(log, hints, settings, compaction)
    awareness = AwarenessExchange(hints, core.nodes)
    contributions = Contributions(
        PostgresContributions(core.pool, outbox.append), core.clock, flush_s=settings.history_s
    )
    editing = Editing(
        engine,
        roles,
        core.access,
        awareness,
        settings,
        sessions=core.revocations,
        contributed=contributions.note,
    )
    live = LiveDocuments(editing, core.rooms)
    core.expel["document"] = live.expel
    service = DocumentService(store, core.access, core.people, core.rooms, core.clock, settings)

    library = documents_library(core, store, service, engine, log, contributions, key)

    async def start() -> None:
        engine.start()
        editing.start()
        live.start()

    return Documents(
        apis=[documents_api(service), *library.apis],
        events=collab_events(live),
        starts=[start, *library.starts],
        closes=[engine.close, editing.close, live.close, hints.close, *library.closes],
        changes=ChangeFeed(engine),
        editing=editing,
    )


@dataclass(kw_only=True)
class Calls(Feature):
    """Calls, and what ends the one between two people."""

    separate: ActOnTwo


def calls(core: Core) -> Calls:
    """Calls between people."""
    settings = core.settings.calls
    legs, ice = LocalLegs(), Ice(core.settings.ice, core.clock)
    commands = call_commands(core)
    store = RedisCallStore(commands, core.clock, settings)
    busy, history = RedisBusyLines(commands, settings), PostgresCallHistory(core.pool, outbox.append)
    engines = media_engines(core)
    telling = Telling(core.rooms, legs, engines.all)
    told = CallsTold(store, core.rooms)
    moves = Moves(store, busy, history, telling, told, core.clock)
    callees = CallRule(GatheredStandings(PostgresPrivacy(core.pool)))
    placing = Placing(store, busy, moves, telling, callees, legs, core.clock, settings)
    service = CallService(store, busy, moves, placing, telling, legs)
    deadlines = Deadlines(store, busy, moves, service, telling, legs, core.rooms)
    sweeper = CallSweeper(deadlines, legs, settings)
    relay = CallsRelay(store, moves, placing, telling, told)
    carriage = Carriage(moves, telling, engines.all, engines.embedded, core.settings.media)
    rescuer = Rescuer(engines.servers, carriage.rescue)

    async def start() -> None:
        sweeper.start(core.tasks)
        relay.start(core.tasks)
        rescuer.start(core.tasks)

    async def close() -> None:
        if isinstance(commands, LinkedCommands):
            await commands.close()

    pre_call = pre_call_events(PreCall(engines.embedded))
    events = merge(call_events(placing, service, deadlines, carriage, ice), pre_call)
    return Calls(
        apis=[call_api(ice, history)],
        events=events,
        starts=[start],
        closes=[*engines.closes, close],
        mounts=[]
        if engines.livekit is None
        else [LiveKitWebhooks(engines.livekit, carriage.rescue, carriage.came).add_routes],
        separate=service.separate,
    )


def call_commands(core: Core) -> Commands:
    """Over the link of the bus where one server has all keys; on a Redis Cluster redis-py finds each key's server."""
    if redis_url.is_cluster(core.settings.redis_url or "redis://nowhere"):
        return ClientCommands(core.redis)
    return LinkedCommands(lent_by(core.bus.commands_of("")))

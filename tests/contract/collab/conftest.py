"""Nodes of one hub: engines on the same PostgreSQL and Valkey."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest

from collab.compaction import Compaction
from collab.compactor_process import CompactorProcess
from collab.engine import Engine
from collab.log_postgres import PostgresLog
from collab.settings import CollabSettings
from hub.cluster.servers import link_to_any, servers_of
from tests.support.collab import LostHints, Node, StartNode


@pytest.fixture
async def start_node(pool: asyncpg.Pool, database_url: str, redis_url: str) -> AsyncIterator[StartNode]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            *, redis_url: str = redis_url, probe_s: float = 0.2, idle_s: float = 60.0, compact_after: int | None = None
        ) -> Node:
            log, hints = PostgresLog(pool, database_url), LostHints(link_to_any(servers_of(redis_url)))
            compaction = Compaction(CompactorProcess(database_url), log, after=compact_after) if compact_after else None
            engine = Engine(log, hints, CollabSettings(probe_s=probe_s, idle_s=idle_s), compaction)
            engine.start()
            stack.push_async_callback(hints.close)
            stack.push_async_callback(engine.close)
            return Node(engine, hints, log)

        yield start

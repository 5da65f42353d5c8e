"""One PostgreSQL and one Valkey for the whole test session, and a fresh database for each test."""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import asyncpg

from hub.embedded.data_folder import DataFolder
from hub.embedded.stack import Stack
from tests.support.databases import Databases
from tests.support.folders import data_folder
from tests.support.forks import ForkServer

T = TypeVar("T")


class Servers:
    """`redis_url` and the empty maintenance database `database_url`; `fresh_database` is for tests.

    Its coroutines run on an event loop of its own that stands still in between, so that synchronous and
    asynchronous tests can use it alike.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, database_url: str, redis_url: str) -> None:
        self.database_url = database_url
        self.redis_url = redis_url
        self._loop = loop
        self._admin: asyncpg.Connection | None = None  # kept: connecting costs 10 ms
        self._databases: Databases | None = None
        self._forks: ForkServer | None = None

    @property
    def forks(self) -> ForkServer:
        """Starts hubs, started itself when it is asked for."""
        self._forks = self._forks or ForkServer()
        return self._forks

    @contextlib.contextmanager
    def fresh_database(self, *, migrated: bool = True) -> Iterator[str]:
        """The URL of a database with all tables and no row, or without any table, for nobody else.

        What is still connected to it afterwards is cut off.
        """
        databases = self._databases = self._databases or self._connect()
        if migrated:
            database = self._run(databases.migrated())
            try:
                yield database.url
            finally:
                self._run(databases.give_back(database))
        else:
            name, url = self._run(databases.bare())
            try:
                yield url
            finally:
                self._run(databases.drop(name))

    def close(self) -> None:
        """Close the connections that are kept, and end the fork server."""
        if self._forks is not None:
            self._forks.close()
        if self._databases is not None:
            self._run(self._databases.close())
        if self._admin is not None:
            self._run(self._admin.close())

    def _connect(self) -> Databases:
        self._admin = self._run(asyncpg.connect(self.database_url))
        return Databases(self._admin, self.database_url)

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(coroutine)


@contextlib.contextmanager
def running_servers() -> Iterator[Servers]:
    """Both servers, not durable, in a folder that goes with them. Takes about 1 s, almost all of it initdb."""
    loop = asyncio.new_event_loop()
    with contextlib.closing(loop), data_folder() as parent, DataFolder(parent / "data") as folder:
        stack = Stack(folder, durable=False)
        try:
            loop.run_until_complete(stack.start())
            with contextlib.closing(Servers(loop, stack.database_url, stack.redis_url)) as servers:
                yield servers
        finally:
            loop.run_until_complete(stack.stop())

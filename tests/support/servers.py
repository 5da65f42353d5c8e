"""One PostgreSQL and one Valkey for the whole test session, and a fresh database for each test."""

import asyncio
import contextlib
import itertools
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import asyncpg

from hub.embedded.data_folder import DataFolder
from hub.embedded.stack import Stack
from hub.storage.migrate import migrate
from tests.support.folders import data_folder

T = TypeVar("T")

_TEMPLATE = "template_migrated"


class Servers:
    """`redis_url` and the empty maintenance database `database_url`; `fresh_database` is for tests.

    Its coroutines run on an event loop of its own that stands still in between, so that synchronous and
    asynchronous tests can use it alike.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, database_url: str, redis_url: str) -> None:
        self.database_url = database_url
        self.redis_url = redis_url
        self._loop = loop
        self._numbers = itertools.count(1)
        self._has_template = False
        self._admin: asyncpg.Connection | None = None  # kept: connecting costs 10 ms

    @contextlib.contextmanager
    def fresh_database(self, *, migrated: bool = True) -> Iterator[str]:
        """The URL of a new database, migrated or empty, which is dropped afterwards whoever still uses it."""
        if migrated and not self._has_template:
            self._sql(f"CREATE DATABASE {_TEMPLATE}")
            self._run(migrate(self._url(_TEMPLATE)))
            self._has_template = True
        name = f"test_{next(self._numbers)}"
        source = _TEMPLATE if migrated else "template0"
        # Without fsync and in memory, FILE_COPY takes 20 ms and the default WAL_LOG 35; on a disk 260 and 170.
        self._sql(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY file_copy")
        try:
            yield self._url(name)
        finally:
            self._sql(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """Close the maintenance connection."""
        if self._admin is not None:
            self._run(self._admin.close())

    def _sql(self, statement: str) -> None:
        if self._admin is None:
            self._admin = self._run(asyncpg.connect(self.database_url))
        self._run(self._admin.execute(statement))

    def _url(self, database: str) -> str:
        return self.database_url.replace("/postgres?", f"/{database}?")

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

"""What the hub needs around it: PostgreSQL and Valkey as its users have them, its key, and people."""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core_api.accounts.settings import AccountsSettings
from core_api.accounts.signing_key import load_or_create
from hub.config import Settings
from hub.embedded.data_folder import DataFolder
from hub.embedded.errors import EmbeddedError
from hub.embedded.stack import Stack
from hub.storage.migrate import migrate
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.processes import Cores, kept_on
from load_tests.bench.transport.crowd import Crowd

REDIS, POSTGRES = "Redis", "PostgreSQL"


@dataclass(frozen=True, slots=True)
class Backends:
    """Running servers, and a hub's data folder beside them."""

    database_url: str
    redis_url: str
    data: Path
    crowd: Crowd
    processes: Mapping[str, Sequence[int]]
    """Their processes: of ``REDIS`` and ``POSTGRES``."""


@contextlib.contextmanager
def running_backends(cores: Cores, *, people: int, rooms: int) -> Iterator[Backends]:
    """Start both, durable as for users, away from the server's core, in a folder that goes with them. About 3 s."""
    loop = asyncio.new_event_loop()
    with (
        contextlib.closing(loop),
        tempfile.TemporaryDirectory(prefix="sparkle-bench-") as parent,
        kept_on(cores.others),
    ):
        Path(parent).chmod(0o711)  # as root, PostgreSQL runs as nobody and has to get through
        with DataFolder(Path(parent) / "servers") as folder:
            stack = Stack(folder)
            try:
                loop.run_until_complete(stack.start())
                loop.run_until_complete(migrate(stack.database_url))
                yield _populated(stack, Path(parent), people, rooms)
            except EmbeddedError as error:
                raise CannotMeasure(str(error)) from None
            finally:
                loop.run_until_complete(stack.stop())


def _populated(stack: Stack, parent: Path, people: int, rooms: int) -> Backends:
    data = parent / "hub"
    data.mkdir()
    key = load_or_create(Settings(data=data).key_file)
    crowd = Crowd(stack.database_url, key, AccountsSettings(), parent)
    crowd.insert(people, rooms)
    processes: dict[str, Sequence[int]] = {
        {"postgres": POSTGRES, "valkey": REDIS}[server.name]: [server.process.pid]
        for server in stack.servers
        if server.process is not None
    }
    return Backends(stack.database_url, stack.redis_url, data, crowd, processes)

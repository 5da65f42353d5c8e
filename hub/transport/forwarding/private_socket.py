"""The Unix socket of a node, by which other nodes of the same user on this machine reach it, and nobody else."""

import contextlib
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PREFIX: Final = "sparkle-node-"
_NAME: Final = "socket"
_PATH_BYTES: Final = 103
"""Of sockaddr_un on macOS, without its closing zero; Linux has four more."""
_BACKLOG: Final = 4096


def is_ours(path: str) -> bool:
    """Whether a path that a node has published is a socket that this user's node has made on this machine.

    On another machine the path means nothing, or what somebody there has put in its place.
    """
    try:
        found = Path(path).lstat()
    except (OSError, ValueError):  # a zero byte in it
        return False
    return stat.S_ISSOCK(found.st_mode) and found.st_uid == os.geteuid()


@contextlib.contextmanager
def private_socket() -> Iterator[tuple[socket.socket, str] | None]:
    """A listening socket and its path, in a folder of mode 0700 that goes at the end. ``None``: there is no place.

    Folders of nodes that were killed go too.
    """
    folder = _make_folder()
    if folder is None:
        yield None
        return
    try:
        path = folder / _NAME
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(os.fspath(path))
            listening.listen(_BACKLOG)  # at once: others take a socket that refuses for a dead node's
            _remove_stale_beside(folder)
            yield listening, os.fspath(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_folder() -> Path | None:
    """mkdtemp (private, unguessable) in the first folder that is writable and short enough."""
    for parent in ("/tmp", tempfile.gettempdir(), "/var/tmp"):  # noqa: S108 only as the parent of mkdtemp
        if os.access(parent, os.W_OK | os.X_OK):
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            if len(os.fsencode(folder / _NAME)) <= _PATH_BYTES:
                return folder
            folder.rmdir()
    return None


def _remove_stale_beside(ours: Path) -> None:
    for folder in ours.parent.glob(f"{_PREFIX}*"):
        path = folder / _NAME
        if folder != ours and is_ours(os.fspath(path)) and _refuses(path):
            shutil.rmtree(folder, ignore_errors=True)


def _refuses(path: Path) -> bool:
    """Whether nobody listens. A full backlog is no refusal."""
    with socket.socket(socket.AF_UNIX) as trying:
        trying.setblocking(False)
        try:
            trying.connect(os.fspath(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False

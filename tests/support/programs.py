"""Programs as processes of their own: running them, and looking at what they leave behind."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Protocol

import pytest

from tests.support.wait import until_sync

PROJECT = Path(__file__).parents[2]
SITE_PACKAGES = Path(pytest.__file__).parents[1]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{PROJECT}:{SITE_PACKAGES}"}
"""Of every program: it finds our modules, in whatever folder it runs."""


class Child(Protocol):
    """A started process: what is used here of a Popen."""

    @property
    def pid(self) -> int: ...

    @property
    def stdout(self) -> IO[str] | None: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...


class Program:
    """A started program. `lines` are those of its output so far, standard error included."""

    def __init__(self, popen: Child) -> None:
        self.popen = popen
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def output(self) -> str:
        """Everything it has written, for assertions and their messages."""
        return "\n".join(self.lines)

    def line_with(self, text: str, timeout_s: float = 15.0) -> str:
        """Wait for a line that contains `text`."""

        def found() -> str | None:
            assert self.popen.poll() is None or self._reader.is_alive() or text in self.output, self.output
            return next((line for line in self.lines if text in line), None)

        return until_sync(found, timeout_s) or ""

    def send(self, signal_number: int) -> None:
        self.popen.send_signal(signal_number)

    def end(self, timeout_s: float = 15.0) -> int:
        """Wait for its end, and that of its output; gives the exit code."""
        code = self.popen.wait(timeout_s)
        self._reader.join(timeout_s)
        return code

    def _read(self) -> None:
        assert self.popen.stdout is not None
        with self.popen.stdout as stdout:
            for line in stdout:
                self.lines.append(line.rstrip("\n"))


@contextlib.contextmanager
def running(
    command: Sequence[str | Path], *, uid: int | None = None, inherit: Sequence[int] = (), **environment: str
) -> Iterator[Program]:
    """Start `command`, as another user if `uid` is given; end it afterwards if it still runs.

    `inherit` are descriptors that it keeps open.
    """
    popen = subprocess.Popen(
        [str(word) for word in command],
        env={**ENVIRONMENT, **environment},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        user=uid,
        group=uid,
        extra_groups=[] if uid is not None else None,
        pass_fds=inherit,
    )
    with ended_afterwards(Program(popen)) as program:
        yield program


@contextlib.contextmanager
def ended_afterwards(program: Program) -> Iterator[Program]:
    """End a program, in good order if it takes no longer than five seconds."""
    try:
        yield program
    finally:
        program.send(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.end(timeout_s=5.0)
        program.send(signal.SIGKILL)
        program.end()


def is_alive(pid: int) -> bool:
    """Whether a process still does anything. A zombie does not: process 1 of a container may never collect it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def children_of(pid: int) -> list[int]:
    """The pids of its direct children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def python_for(uid: int) -> str | None:
    """A Python 3.11+ that this user can run; the one of the tests may lie in a private folder."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            if subprocess.run([python, "-c", check], user=uid, group=uid, extra_groups=[], check=False).returncode == 0:
                return python
    return None


def is_root() -> bool:
    return os.geteuid() == 0

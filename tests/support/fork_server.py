"""A process that has imported the hub and forks hubs: for their start, nearly all of which would be imports.

What it forks is `sparkle-hub run` and its nodes, processes of their own with the parents, sessions, descriptors,
signals, environment and output that they have if they are executed. That they start so from nothing, is seen by the
tests of the script, the supervisor, the start of a node, and the demo.

``python -m tests.support.fork_server FD`` takes requests from a socket until its other end is closed.
"""

import contextlib
import ctypes
import os
import signal
import socket
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from hub.cli import main as hub_main
from hub.embedded.exec_shim import die_with
from hub.embedded.spawn import Process, spawn
from hub.kernel.imports import importing
from hub.supervisor import node as supervised

MOST_BYTES = 1 << 16
"""Of a request."""
_PR_SET_NAME = 15
_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


class Request(msgspec.Struct):
    """What to run: the arguments of `sparkle-hub`. Two descriptors go with it: for its pid and exit code, and its
    output.
    """

    arguments: list[str]
    environment: dict[str, str]


def main() -> None:
    """Fork a keeper for each request; it waits for the hub, which is its child."""
    with importing():
        import hub.node  # noqa: PLC0415 - not by the tests, which take `Request` from here
        import hub.supervisor.run  # noqa: PLC0415
        import hub.transport.eager  # noqa: F401, PLC0415

    requests = socket.socket(fileno=int(sys.argv[1]))
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, MOST_BYTES, 2)
        if not message:
            return
        status, output = descriptors
        if os.fork() == 0:
            _keep(msgspec.json.decode(message, type=Request), status, output)
        os.close(status)
        os.close(output)
        _collect()


def _collect() -> None:
    """Take note of keepers that have ended."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return


def _keep(request: Request, status: int, output: int) -> None:
    with _to_the_end():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # those of a terminal reach everybody
        pid = os.fork()
        if pid == 0:
            for descriptor in (1, 2):
                os.dup2(output, descriptor)
            supervised.spawn = fork  # type: ignore[attr-defined] # where a node is started
            _become(request.arguments, request.environment, ())
        os.close(output)
        os.write(status, str(pid).encode())
        _, end = os.waitpid(pid, 0)
        os.write(status, str(os.waitstatus_to_exitcode(end)).encode())


def fork(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    when_parent_dies: signal.Signals,
    inherit: Sequence[int] = (),
    **others: Any,
) -> Process:
    """In a supervisor: `hub.embedded.spawn.spawn` for a node, which is forked. Anything else is executed."""
    words = [str(word) for word in command]
    arguments = words[words.index("hub.cli") + 1 :] if "hub.cli" in words else []
    if arguments[:1] != ["serve"]:
        return spawn(command, environment=environment, when_parent_dies=when_parent_dies, inherit=inherit, **others)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        with _to_the_end():
            os.setsid()
            die_with(parent, int(when_parent_dies))
            name = arguments[arguments.index("--node-name") + 1]
            ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)  # which ps shows, and tests look for
            _become(arguments, environment, inherit)
    return Process(cast("Any", _Forked(pid)), report=-1)


class _Forked:
    """As much of a Popen as a `Process` needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        if self._code is None:
            pid, end = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(end) if pid else None
        return self._code

    def send_signal(self, number: int) -> None:
        """Send it a signal. It is there, or a zombie of ours."""
        os.kill(self.pid, number)


def _become(arguments: Sequence[str], environment: Mapping[str, str], inherit: Iterable[int]) -> None:
    """Be a process that was executed with these, as far as the hub can tell, to its end."""
    with _to_the_end():
        signal.set_wakeup_fd(-1)  # of the event loop that our parent runs
        for number in _HANDLED:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        _close_all_but({0, 1, 2, *inherit})
        os.environ.clear()  # noqa: TID251 - the environment that the hub is to read
        os.environ.update(environment)  # noqa: TID251
        hub_main(arguments)


@contextlib.contextmanager
def _to_the_end() -> Iterator[None]:
    """What is done within ends this process, however it goes: it must never return to what its parent was at."""
    code = 1
    try:
        yield
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _close_all_but(kept: set[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor not in kept:
            with contextlib.suppress(OSError):  # that of the folder itself
                os.close(descriptor)


if __name__ == "__main__":
    main()

"""Starting a child process that cannot outlive us, and stopping it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from hub.embedded.identity import Identity

_SHIM = Path(__file__).with_name("exec_shim.py")
_POLL_S = 0.02  # polled, because asyncio's child watchers are tied to the event loop in which a process was started


class Process:
    """A child started by `spawn`. Usable from any event loop, because it is only ever polled."""

    def __init__(self, popen: subprocess.Popen[bytes], report: int) -> None:
        self._popen = popen
        self._report = report
        self._why_not_started: str | None = None

    @property
    def pid(self) -> int:
        """Process id; the program keeps the one of the shim that it replaced."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs, else its exit code (negative: the signal that killed it)."""
        code = self._popen.poll()
        if code is not None and self._report >= 0:
            with os.fdopen(self._report, "rb") as pipe:
                self._why_not_started = pipe.read().decode() or None
            self._report = -1
        return code

    @property
    def end(self) -> str:
        """How it ended, as a clause: `exited with code 1`, `was killed by SIGKILL`, or why it never started."""
        code = self.exit_code
        if self._why_not_started is not None:
            return self._why_not_started
        if code is not None and code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"exited with code {code}"

    def send(self, signal_number: int) -> None:
        """Send a signal; nothing happens if the process has ended."""
        if self.exit_code is None:
            self._popen.send_signal(signal_number)

    async def wait(self) -> int:
        """Wait for the end; gives the exit code."""
        while (code := self.exit_code) is None:  # noqa: ASYNC110 - see _POLL_S
            await asyncio.sleep(_POLL_S)
        return code

    async def stop(self, signal_number: int, grace_s: float) -> None:
        """Ask it to end by `signal_number`; kill it when `grace_s` is over. Idempotent."""
        self.send(signal_number)
        try:
            async with asyncio.timeout(grace_s):
                await self.wait()
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self.wait()


def spawn(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    when_parent_dies: signal.Signals,
    identity: Identity | None = None,
    inherit: Sequence[int] = (),
    output: IO[bytes] | None = None,
    directory: Path | str | None = None,
) -> Process:
    """Start `command` (an absolute path and arguments) in a session of its own, so that Ctrl-C does not reach it.

    `when_parent_dies` is sent to it when the calling *thread* ends (prctl semantics): call from the main thread.
    `inherit` are descriptors that it keeps open; `output` takes both of its streams, None shares ours.
    Whether the program could be executed is known at its end: see `Process.end`.
    """
    report, report_child_end = os.pipe()
    shim = [
        *(sys.executable, "-I", "-S", str(_SHIM), f"report={report_child_end}"),
        *(f"parent={os.getpid()}", f"signal={int(when_parent_dies)}"),
        *(identity.shim_keys if identity is not None else ()),
    ]
    try:
        popen = subprocess.Popen(  # noqa: S603 - starting given programs is this file's subject
            [*shim, "--", *map(str, command)],
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[report_child_end, *inherit],
            start_new_session=True,
        )
    except BaseException:
        os.close(report)
        raise
    finally:
        os.close(report_child_end)
    return Process(popen, report)


async def run_to_end(process: Process, timeout_s: float) -> int:
    """Wait for a short-lived child; kill it after `timeout_s` or when we are cancelled. Gives its exit code."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            return await process.wait()
    except TimeoutError:
        raise TimeoutError(f"was not done after {time.monotonic() - started:.0f} s") from None
    finally:
        process.send(signal.SIGKILL)

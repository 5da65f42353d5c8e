"""Processes as a bench sees them from outside: their CPU, their memory, the core they are kept on. Linux only."""

import contextlib
import os
import random
import resource
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from load_tests.bench.errors import CannotMeasure

PORTS = range(17_000, 32_000)
"""Below the ports that Linux gives to clients (32768 and up), so that thousands of clients take none of them."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU time of a process so far, in nanoseconds."""

    run_ns: int
    """Of all its threads."""
    wait_ns: int
    """How long its main thread was ready and had no core. The other threads are left out: those of a server that is
    kept on one core wait for one another."""

    def since(self, earlier: "Cpu") -> "Cpu":
        """What came on top of an earlier look."""
        return Cpu(self.run_ns - earlier.run_ns, self.wait_ns - earlier.wait_ns)


def cpu_of(pid: int) -> Cpu:
    """From ``/proc/PID/task/*/schedstat``: exact to the nanosecond where ``/proc/PID/stat`` counts ticks of 10 ms."""
    run_ns = wait_ns = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that ends while we look
            run, wait, _ = (task / "schedstat").read_text().split()
            run_ns += int(run)
            wait_ns += int(wait) if task.name == str(pid) else 0
    return Cpu(run_ns, wait_ns)


def stolen_s() -> float:
    """CPU time that this machine, if it is a virtual one, wanted so far and its host gave to others, over all cores.

    From ``/proc/stat``, in ticks.
    """
    steal = 8  # its place among the numbers of the line "cpu"
    return int(Path("/proc/stat").read_text().split(maxsplit=steal + 1)[steal]) / os.sysconf("SC_CLK_TCK")


def busy_s(cores: Iterable[int]) -> float:
    """CPU time that was used on these cores so far, by whomever. From ``/proc/stat``, in ticks of all cores."""
    used = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq; the others are idle, or of the host
    wanted = {f"cpu{core}" for core in cores}
    lines = (line.split() for line in Path("/proc/stat").read_text().splitlines())
    ticks = sum(int(numbers[place]) for name, *numbers in lines if name in wanted for place in used)
    return ticks / os.sysconf("SC_CLK_TCK")


def cpu_of_all(pids: Iterable[int]) -> int:
    """CPU time of these processes and all their descendants, in nanoseconds. What has ended counts no more."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += cpu_of(pid).run_ns + cpu_of_all(_children(pid))
    return total


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def resident_kb(pid: int) -> int:
    """Resident memory (VmRSS) in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise CannotMeasure(f"process {pid} has ended")


def settled_resident_kb(pid: int, still_s: float = 0.5, timeout_s: float = 15.0) -> int:
    """Resident memory once it has not changed for ``still_s``: a server that has just started still loads things."""
    end = time.monotonic() + timeout_s
    last, since = resident_kb(pid), time.monotonic()
    while time.monotonic() - since < still_s and time.monotonic() < end:
        time.sleep(0.05)
        if (now := resident_kb(pid)) != last:
            last, since = now, time.monotonic()
    return last


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the server runs, and where everything else does: load, Redis, PostgreSQL and this program."""

    server: int
    others: frozenset[int]


def cores() -> Cores:
    """The last core that we may use for the server, the rest for the others. Raises CannotMeasure with one core."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise CannotMeasure("a bench needs two cores: one for the server, one for the load")
    return Cores(allowed[-1], frozenset(allowed[:-1]))


@contextlib.contextmanager
def kept_on(chosen: Iterable[int]) -> Iterator[None]:
    """Keep this thread, and what it starts in the meantime, on these cores. Children stay there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, chosen)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allow_open_files(wanted: int) -> None:
    """Let this process and its children have so many files open. Raises CannotMeasure if the system does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise CannotMeasure(f"{wanted} open files are needed and only {hard} allowed: raise `ulimit -Hn`")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def free_port(draw: random.Random) -> int:
    """A port of the loopback address that nobody listens on."""
    for _ in range(100):
        port = draw.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise CannotMeasure(f"no free port among {PORTS.start} to {PORTS.stop - 1}")

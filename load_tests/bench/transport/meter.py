"""What something costs a server: CPU time of its threads, and of the processes that work for it."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from load_tests.bench.processes import Cpu, busy_s, cpu_of, cpu_of_all, stolen_s
from load_tests.bench.transport.servers import Server

LOOK_S = 0.1
QUIET_S = 0.4
"""A server that did next to nothing for so long has done all it had to."""
BUSY = 0.15
"""Part of the time, running or waiting for its core, that is more than next to nothing: an idle hub has been seen to
take 7 ms at once, and a server without a core to be anything but idle.
"""
LONGEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Taken:
    """One measured value."""

    value: float
    waited: float = 0.0
    """How long the server waited for its core, as a part of the time that it wanted it, with what the machine's host
    took of its cores, as a part of all time. For several nodes, what others used of the core that they share."""
    busy: float = 0.0
    """Part of the time that it had one."""
    beside: Mapping[str, float] = field(default_factory=dict)
    """What others did for it, in the unit of the value."""
    missing: int = 0
    """Deliveries or echoes that never came."""


@dataclass(frozen=True, slots=True)
class Use:
    """CPU that was used in some time."""

    seconds: float
    run_ns: int
    wait_ns: int
    beside_ns: Mapping[str, int]
    stolen: float = 0.0
    """Part of the time of all cores that the machine's host gave to others."""

    def per(self, operations: int, missing: int = 0) -> Taken:
        """Microseconds per operation."""
        a_us = 1000 * max(operations, 1)
        beside = {what: used / a_us for what, used in self.beside_ns.items()}
        return Taken(self.run_ns / a_us, self.waited, self.busy, beside, missing)

    @property
    def waited(self) -> float:
        """See Taken."""
        return self.wait_ns / max(self.run_ns + self.wait_ns, 1) + self.stolen

    @property
    def busy(self) -> float:
        """Part of the time that it had one."""
        return self.run_ns / 1e9 / self.seconds


class Meter:
    """Counts from its making on."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._started = time.monotonic()
        self._stolen_s = stolen_s()
        self._cores = os.sched_getaffinity(server.pids[0])
        self._busy_s = busy_s(self._cores)
        self._cpu = self._now()
        self._beside = self._now_beside()

    def read(self) -> Use:
        """What has been used so far."""
        used = self._now().since(self._cpu)
        wait_ns = used.wait_ns
        if len(self._server.pids) > 1:  # they wait for each other, which is no disturbance
            wait_ns = max(0, round((busy_s(self._cores) - self._busy_s) * 1e9) - used.run_ns)
        beside = {what: now - self._beside[what] for what, now in self._now_beside().items()}
        seconds = time.monotonic() - self._started
        stolen = (stolen_s() - self._stolen_s) / (seconds * (os.cpu_count() or 1))
        return Use(seconds, used.run_ns, wait_ns, beside, stolen)

    def read_when_quiet(self, quiet_s: float = QUIET_S) -> Use:
        """What has been used once the server has done nothing for so long; a minute at most."""
        quiet_looks, use = 0, self.read()
        while quiet_looks * LOOK_S < quiet_s and use.seconds < LONGEST_S:
            time.sleep(LOOK_S)
            before, use = use, self.read()
            wanted_ns = use.run_ns + use.wait_ns - before.run_ns - before.wait_ns
            is_busy = wanted_ns / 1e9 > BUSY * (use.seconds - before.seconds)
            quiet_looks = 0 if is_busy else quiet_looks + 1
        return use

    def _now(self) -> Cpu:
        nodes = [cpu_of(pid) for pid in self._server.pids]
        return Cpu(sum(node.run_ns for node in nodes), sum(node.wait_ns for node in nodes))

    def _now_beside(self) -> dict[str, int]:
        return {what: cpu_of_all(pids) for what, pids in self._server.beside.items()}

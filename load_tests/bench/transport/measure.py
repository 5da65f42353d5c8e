"""The runs: every server in turn, again and again, so that what slows the machine down slows all of them."""

import random
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from load_tests.bench.report import three_digits
from load_tests.bench.transport.meter import Taken
from load_tests.bench.transport.results import Results
from load_tests.bench.transport.servers import NAMES, Hosts, Server
from load_tests.bench.transport.sessions import WAITED_TOO_LONG, Sessions
from load_tests.bench.transport.workloads import LARGE_ROOM, Plan, Workload

COMING_AND_GOING = frozenset({"connect", "memory", "rooms", "disconnect"})
LARGE = frozenset({"room-1", "room-4", "room-16", "p99"})


class Runs:
    """Measures what is wanted of every server, and adds it to the results."""

    def __init__(
        self, hosts: Hosts, plan: Plan, program: Path, chosen: Sequence[Workload], results: Results, seed: int
    ) -> None:
        """``program`` is the compiled load generator; ``seed`` shuffles the servers of each run after the first."""
        self._hosts = hosts
        self._plan = plan
        self._program = program
        self._chosen = chosen
        self._results = results
        self._draw = random.Random(seed)
        self._started = time.monotonic()
        self._done, self._planned = 0, 1

    def run(self, servers: Sequence[str], runs: int) -> None:
        """Raises CannotMeasure. What has been measured by then is kept."""
        # Node first: its maximum says at which rate the latency of all is measured.
        order = sorted(servers, key=lambda name: name != "node")
        self._planned = len(order) * runs
        for run in range(1, runs + 1):
            for name in order:
                if wanted := self._missing(run, name):
                    began = time.monotonic()
                    taken = self._measure(name, wanted)
                    self._results.add(run, name, taken)
                    _tell(f"run {run}/{runs}, {NAMES[name]}, {time.monotonic() - began:.0f} s", taken)
                self._done += 1
            order = self._draw.sample(order, len(order))

    def _missing(self, run: int, name: str) -> frozenset[str]:
        keys = {workload.key for workload in self._chosen if name not in workload.not_for}
        if name == "node" and "p99" in keys:
            keys.add("room-1")
        return frozenset(key for key in keys if not self._results.has(run, name, key))

    def _measure(self, name: str, wanted: frozenset[str]) -> dict[str, Taken]:
        taken: dict[str, Taken] = {}
        if "memory" in wanted and self._plan.idle_connections != self._plan.connections:
            with self._hosts.running(name) as server:
                taken |= self._on(server).idle()
            wanted -= {"memory"}
        for attempt in range(1, self._plan.attempts + 1):
            with self._hosts.running(name) as server:
                sessions = self._on(server)
                if wanted & COMING_AND_GOING:
                    taken |= sessions.coming_and_going(wanted)
                    waited = max(taken[key].waited for key in ("connect", "disconnect") if key in taken)
                    if waited > WAITED_TOO_LONG and attempt < self._plan.attempts and self._has_time():
                        continue  # with a fresh server, or the memory would be that of a second crowd
                if "echo" in wanted:
                    taken |= sessions.echo()
                if wanted & LARGE:
                    taken |= sessions.large_room(wanted, partial(self._half_rate, name))
            break
        return taken

    def _on(self, server: Server) -> Sessions:
        return Sessions(server, self._plan, self._program, self._hosts.cores.others, self._has_time)

    def _has_time(self) -> bool:
        """Whether a thing may be measured again: what is left to do would still end in time."""
        if self._plan.limit_s is None:
            return True
        share_done = self._done / self._planned
        return share_done > 0 and (time.monotonic() - self._started) / share_done < self._plan.limit_s

    def _half_rate(self, name: str, taken: Mapping[str, Taken]) -> float | None:
        """Half of the broadcasts per second that Node manages with a core of its own, in its first run."""
        costs_us = self._results.values("node", "room-1")
        if not costs_us and name == "node":
            costs_us = {1: taken["room-1"].value}
        return 0.5e6 / costs_us[min(costs_us)] / LARGE_ROOM if costs_us else None


def _tell(who: str, taken: Mapping[str, Taken]) -> None:
    parts = []
    for key, one in taken.items():
        doubts = [f"waited {one.waited:.0%}"] if one.waited > WAITED_TOO_LONG else []
        doubts += [f"{one.missing} missing"] if one.missing else []
        parts.append(f"{key} {three_digits(one.value)}" + (f" ({', '.join(doubts)})" if doubts else ""))
    print(f"{who}: {', '.join(parts)}", file=sys.stderr, flush=True)

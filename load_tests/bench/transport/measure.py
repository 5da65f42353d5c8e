"""The runs: every server in turn, again and again, so that what slows the machine down slows all of them."""

import math
import random
import sys
import time
from collections.abc import Mapping, Sequence, Set
from functools import partial
from pathlib import Path

from load_tests.bench.errors import CannotMeasure
from load_tests.bench.report import three_digits
from load_tests.bench.transport.meter import Taken
from load_tests.bench.transport.results import Results
from load_tests.bench.transport.servers import NAMES, Hosts, Server
from load_tests.bench.transport.sessions import WAITED_TOO_LONG, Sessions
from load_tests.bench.transport.workloads import LARGE_ROOM, Plan, Workload

COMING_AND_GOING = frozenset({"connect", "memory", "rooms", "disconnect"})
ONCE = frozenset({"connect", "disconnect"})
"""Of these: what can be measured only once with a server."""
TWO = 2
"""Nodes of the row across Redis."""
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
        self.failures: list[str] = []
        """Why there is no value of some server in some run."""

    def run(self, servers: Sequence[str], runs: int) -> None:
        """A server that fails is left out of that run; ``failures`` says so."""
        # Node first: its maximum says at which rate the latency of all is measured.
        order = sorted(servers, key=lambda name: name != "node")
        self._planned = len(order) * runs
        for run in range(1, runs + 1):
            if run > 1 and not self._in_time(run / (run - 1)):
                print(f"{run - 1} of {runs} runs: there is no time for more", file=sys.stderr)
                return
            for name in order:
                if wanted := self._missing(run, name):
                    self._add(run, name, wanted)
                self._done += 1
            order = self._draw.sample(order, len(order))

    def _add(self, run: int, name: str, wanted: Set[str]) -> None:
        began = time.monotonic()
        try:
            taken = self._measure(name, wanted)
        except CannotMeasure as error:
            self.failures.append(f"run {run}: {error}")
            print(self.failures[-1], file=sys.stderr, flush=True)
        else:
            self._results.add(run, name, {key: taken[key] for key in wanted & taken.keys()})
            _tell(f"run {run}, {NAMES[name]}, {time.monotonic() - began:.0f} s", taken)

    def _missing(self, run: int, name: str) -> frozenset[str]:
        workloads = [workload for workload in self._chosen if workload.is_for(name)]
        if not self._plan.all_values:
            workloads = [workload for workload in workloads if workload.compares(name)]
        keys = {workload.key for workload in workloads}
        if name == "node" and "p99" in keys:
            keys.add("room-1")
        return frozenset(key for key in keys if not self._results.has(run, name, key))

    def _measure(self, name: str, wanted: Set[str]) -> dict[str, Taken]:
        taken: dict[str, Taken] = {}
        if "memory" in wanted and self._plan.idle_connections != self._plan.connections:
            with self._hosts.running(name) as server:
                taken |= self._on(server).idle()
        if "across" in wanted:
            with self._hosts.running(name, nodes=TWO) as server:
                taken |= self._on(server).across()
        rest = wanted - taken.keys()
        for attempt in range(1, self._plan.attempts + 1 if rest else 0):
            with self._hosts.running(name) as server:
                sessions = self._on(server)
                if rest & COMING_AND_GOING:
                    taken |= sessions.coming_and_going(rest)
                    waited = max((taken[key].waited for key in ONCE & rest), default=0.0)
                    if waited > WAITED_TOO_LONG and attempt < self._plan.attempts and self._has_time():
                        continue  # with a fresh server, or the memory would be that of a second crowd
                if "echo" in rest:
                    taken |= sessions.echo()
                if rest & LARGE:
                    taken |= sessions.large_room(rest, partial(self._half_rate, name))
                if "kept" in rest:
                    taken |= sessions.kept()
            break
        return taken

    def _on(self, server: Server) -> Sessions:
        return Sessions(server, self._plan, self._program, self._hosts.cores.others, self._has_time)

    def _has_time(self) -> bool:
        """Whether something may be measured again: at this pace, all runs would still end in time."""
        return self._in_time(self._planned / self._done if self._done else math.inf)

    def _in_time(self, factor: float) -> bool:
        """Whether so many times the time until now would be allowed."""
        limit_s = self._plan.limit_s
        return limit_s is None or (time.monotonic() - self._started) * factor < limit_s

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

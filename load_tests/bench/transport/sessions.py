"""What is done with a running server, in sessions of the load generator, and what each thing costs the server."""

import time
from collections.abc import Callable, Iterable, Mapping, Set
from pathlib import Path

from load_tests.bench.processes import resident_kb, settled_resident_kb
from load_tests.bench.transport.generator import Answer, Generator
from load_tests.bench.transport.meter import Meter, Taken, Use
from load_tests.bench.transport.servers import Server
from load_tests.bench.transport.workloads import (
    ECHO_CONNECTIONS,
    LARGE_ROOM,
    LARGE_ROOM_PEOPLE,
    ROOM_SIZE,
    ROOMS_OUTSTANDING,
    Plan,
)

WAITED_TOO_LONG = 0.10
"""Part of the time in which the server wanted its core and had to wait: from here on it is measured again."""
DISTURBED = 0.02
"""The same for latencies: one pause in a hundred is all that a p99 shows."""
LOOK_S = 0.05
LONGEST_S = 30.0

Rate = Callable[[Mapping[str, Taken]], float | None]
"""Broadcasts per second for the p99, from what has been measured in this session; ``None`` if it is not known."""


class Sessions:
    """Measurements on one server."""

    def __init__(
        self, server: Server, plan: Plan, program: Path, cores: Iterable[int], has_time: Callable[[], bool]
    ) -> None:
        """``program`` is the compiled load generator; it runs on ``cores``. ``has_time``: to measure a thing again."""
        self._server = server
        self._plan = plan
        self._program = program
        self._cores = cores
        self._has_time = has_time

    def idle(self) -> dict[str, Taken]:
        """Memory of connections that do nothing. The server must be a fresh one."""
        count = self._plan.idle_connections
        with self._clients(count, ROOM_SIZE) as clients:
            before_kb = sum(map(settled_resident_kb, self._server.pids))
            clients.command("connect")
            return {"memory": self._memory(count, before_kb)}

    def coming_and_going(self, wanted: Set[str]) -> dict[str, Taken]:
        """Connect, and those of memory, rooms and disconnect that are wanted. The server must be a fresh one."""
        count, taken = self._plan.connections, {}
        with self._clients(count, ROOM_SIZE) as clients:
            before_kb = sum(map(settled_resident_kb, self._server.pids))
            meter = Meter(self._server)
            clients.command("connect")
            taken["connect"] = meter.read().per(count)
            if "memory" in wanted:
                taken["memory"] = self._memory(count, before_kb)
            if not wanted.isdisjoint({"rooms", "disconnect"}):
                clients.command("join")
            if "rooms" in wanted:
                self._let_all_speak(clients, ROOMS_OUTSTANDING, count)
                taken["rooms"] = self._cost(clients, f"window {ROOMS_OUTSTANDING}")
            if "disconnect" in wanted:
                meter = Meter(self._server)
                clients.command("close")
                taken["disconnect"] = meter.read_when_quiet().per(count)
        Meter(self._server).read_when_quiet(self._server.afterwork_s)
        return taken

    def large_room(self, wanted: Set[str], rate_of: Rate) -> dict[str, Taken]:
        """Those of room-1, room-4, room-16 and p99 that are wanted, without p99 if ``rate_of`` knows no rate."""
        taken: dict[str, Taken] = {}
        self._let_rest()
        with self._clients(LARGE_ROOM, LARGE_ROOM, people=LARGE_ROOM_PEOPLE) as clients:
            clients.command("connect")
            clients.command("join")
            self._let_all_speak(clients, 4, LARGE_ROOM_PEOPLE)
            for outstanding in (1, 4, 16):
                if (key := f"room-{outstanding}") in wanted:
                    taken[key] = self._cost(clients, f"window {outstanding}")
            if "p99" in wanted and (rate := rate_of(taken)) is not None:
                taken["p99"] = self._undisturbed(lambda: self._latency(clients, f"rate {rate:.3f}"), DISTURBED)
        return taken

    def across(self) -> dict[str, Taken]:
        """Broadcasts to small rooms whose members are spread over the nodes. The server must be a fresh one."""
        count = self._plan.connections_across
        with self._clients(count, ROOM_SIZE) as clients:
            clients.command("connect")
            clients.command("join")
            self._let_all_speak(clients, ROOMS_OUTSTANDING, count)
            return {"across": self._cost(clients, f"window {ROOMS_OUTSTANDING}")}

    def kept(self) -> dict[str, Taken]:
        """Broadcasts to a large room that a client which comes back is sent again."""
        self._let_rest()
        with self._clients(LARGE_ROOM, LARGE_ROOM, people=LARGE_ROOM_PEOPLE, kept=True) as clients:
            clients.command("connect")
            clients.command("join")
            self._let_all_speak(clients, 1, LARGE_ROOM_PEOPLE)
            return {"kept": self._cost(clients, "window 1")}

    def echo(self) -> dict[str, Taken]:
        """Echoes with acknowledgement."""
        self._let_rest()
        with self._clients(ECHO_CONNECTIONS, ROOM_SIZE) as clients:
            clients.command("connect")
            return {"echo": self._cost(clients, "echo")}

    def _clients(self, connections: int, room_size: int, people: int | None = None, *, kept: bool = False) -> Generator:
        crowd = self._server.crowd
        return Generator(
            self._program,
            ports=self._server.ports,
            connections=connections,
            room_size=room_size,
            options=[] if crowd is None else crowd.options(connections, room_size, people, kept=kept),
            cores=self._cores,
        )

    def _let_rest(self) -> None:
        """Wait until the server has dealt with the clients of the session before: what that takes is not ours."""
        Meter(self._server).read_when_quiet()

    def _let_all_speak(self, clients: Generator, outstanding: int, turns: int) -> None:
        """Let everybody broadcast once.

        A hub asks its database at somebody's first message in a room, and a lively room has few of those.
        """
        sent, end = clients.command(f"window {outstanding}").sent, time.monotonic() + LONGEST_S
        while sent < turns and time.monotonic() < end:
            time.sleep(LOOK_S)
            sent += clients.command("count").sent
        clients.command("stop")

    def _memory(self, connections: int, before_kb: int) -> Taken:
        time.sleep(self._plan.settle_s)
        return Taken((sum(map(resident_kb, self._server.pids)) - before_kb) / connections)

    def _cost(self, clients: Generator, load: str) -> Taken:
        """CPU per delivery, or per echo, in µs."""

        def take() -> Taken:
            answer, use = self._under(clients, load, self._plan.measure_s)
            return use.per(answer.deliveries + answer.echoes, answer.missing)

        return self._undisturbed(take)

    def _latency(self, clients: Generator, load: str) -> Taken:
        """The p99 from the time at which a broadcast was due to each of its deliveries, in ms."""
        answer, use = self._under(clients, load, self._plan.latency_s)
        return Taken(answer.p99_us / 1000, use.waited, use.busy, missing=answer.missing)

    def _under(self, clients: Generator, load: str, measure_s: float) -> tuple[Answer, Use]:
        """What came of a load, and what it used, after a time to warm up."""
        clients.command(load)
        time.sleep(self._plan.warm_s)
        clients.command("count")
        meter = Meter(self._server)
        time.sleep(measure_s)
        answer = clients.command("count")
        use = meter.read()
        clients.command("stop")
        return answer, use

    def _undisturbed(self, take: Callable[[], Taken], limit: float = WAITED_TOO_LONG) -> Taken:
        return least_disturbed(take, limit=limit, attempts=self._plan.attempts, has_time=self._has_time)


def least_disturbed(take: Callable[[], Taken], *, limit: float, attempts: int, has_time: Callable[[], bool]) -> Taken:
    """Measure until the server does not wait for its core; after so many attempts, that in which it waited least."""
    best = take()
    for _ in range(attempts - 1):
        if best.waited <= limit or not has_time():
            break
        best = min(best, take(), key=lambda taken: taken.waited)
    return best

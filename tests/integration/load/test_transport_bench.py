"""``bench transport`` against real servers with few clients: each understands what the load generator says to it."""

import contextlib
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core_api.accounts.settings import AccountsSettings
from core_api.accounts.signing_key import load_or_create, new_key
from hub.config import Settings
from load_tests.bench.cache import COMPILERS
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.processes import Cores
from load_tests.bench.transport.backends import POSTGRES, REDIS, Backends
from load_tests.bench.transport.crowd import Crowd
from load_tests.bench.transport.generator import Generator, compile_generator
from load_tests.bench.transport.meter import Meter
from load_tests.bench.transport.servers import Hosts, Server
from load_tests.bench.transport.sessions import Sessions
from load_tests.bench.transport.workloads import Plan
from tests.support.wait import until_sync

CONNECTIONS, ROOM_SIZE = 12, 4
ANY_CORE = Cores(min(os.sched_getaffinity(0)), frozenset(os.sched_getaffinity(0)))
"""Nothing is measured here, so one core will do."""
FEW = Plan(
    connections=200,
    connections_across=200,
    idle_connections=200,
    warm_s=0,
    measure_s=0.2,
    latency_s=0.2,
    settle_s=0,
    attempts=1,
)
SERVERS = ("stock", "transport", "floor", "floor-coalescing", "hub")
CLUSTERS = ("stock-redis", "hub")

pytestmark = pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="needs a C compiler (cc)")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is compiled, for all tests here."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, cache: Path, tmp_path: Path) -> Iterator[Server]:
    """Each server in turn."""
    backends = request.getfixturevalue("backends") if request.param == "hub" else None
    with Hosts(ANY_CORE, cache, random.Random(1), backends).running(request.param) as running:
        yield running


@pytest.fixture(params=CLUSTERS)
def cluster(request: pytest.FixtureRequest, cache: Path, backends: Backends) -> Iterator[Server]:
    """Two nodes of each server that can be several."""
    with Hosts(ANY_CORE, cache, random.Random(1), backends).running(request.param, nodes=2) as running:
        yield running


@pytest.fixture
def backends(database_url: str, redis_url: str, tmp_path: Path) -> Backends:
    """The test session's servers, with people and rooms in the database."""
    key = load_or_create(Settings(data=tmp_path).key_file)
    crowd = Crowd(database_url, key, AccountsSettings(), tmp_path)
    crowd.insert(CONNECTIONS, CONNECTIONS // ROOM_SIZE)
    return Backends(database_url, redis_url, tmp_path, crowd, {POSTGRES: [], REDIS: []})


@contextlib.contextmanager
def clients_of(server: Server, cache: Path, *, kept: bool = False) -> Iterator[Generator]:
    program = compile_generator(cache)
    options = server.crowd.options(CONNECTIONS, ROOM_SIZE, kept=kept) if server.crowd else []
    with Generator(
        program,
        ports=server.ports,
        connections=CONNECTIONS,
        room_size=ROOM_SIZE,
        options=options,
        cores=ANY_CORE.others,
    ) as clients:
        yield clients


def under(clients: Generator, load: str) -> dict[str, int]:
    """What came of a load in all, once it has been sent for a while and the last of it has come back."""
    answers = [clients.command(load)]

    def enough() -> bool:
        answers.append(clients.command("count"))
        return sum(answer.sent for answer in answers) > 30

    until_sync(enough)
    answers.append(clients.command("stop"))
    total = {name: sum(getattr(answer, name) for answer in answers) for name in ("sent", "deliveries", "echoes")}
    return total | {
        "missing": sum(answer.missing for answer in answers),
        "p99_us": max(answer.p99_us for answer in answers),
    }


def test_all_are_served_as_the_load_generator_expects(server: Server, cache: Path) -> None:
    """Everybody connects and joins; each broadcast reaches the whole room, each echo its sender; nothing is lost."""
    receivers = ROOM_SIZE - 1 if server.crowd else ROOM_SIZE  # a hub does not send back to the sender
    meter = Meter(server)
    with clients_of(server, cache) as clients:
        assert clients.command("connect").ready == CONNECTIONS
        assert clients.command("join").joined == CONNECTIONS

        window = under(clients, "window 3")
        assert (window["deliveries"], window["missing"]) == (window["sent"] * receivers, 0)

        paced = under(clients, "rate 500")
        assert (paced["deliveries"], paced["missing"]) == (paced["sent"] * receivers, 0)
        assert 0 < paced["p99_us"] < 10_000_000

        echo = under(clients, "echo")
        assert (echo["echoes"], echo["missing"]) == (echo["sent"], 0)

        assert clients.command("close").lost == 0
    assert meter.read_when_quiet().run_ns > 1_000_000


def test_members_of_a_room_are_on_both_nodes_and_all_are_served(cluster: Server, cache: Path) -> None:
    """What is said on one node reaches those on the other, and each node has half of the connections."""
    receivers = ROOM_SIZE - 1 if cluster.crowd else ROOM_SIZE
    with clients_of(cluster, cache) as clients:
        assert clients.command("connect").ready == CONNECTIONS
        assert clients.command("join").joined == CONNECTIONS
        assert {port: connections_to(port) for port in cluster.ports} == dict.fromkeys(cluster.ports, CONNECTIONS // 2)
        window = under(clients, "window 3")
        assert (window["deliveries"], window["missing"]) == (window["sent"] * receivers, 0)


def connections_to(port: int) -> int:
    """Established TCP connections of a server on this port (proc(5): state 01)."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(state == "01" and int(local.partition(":")[2], 16) == port for _, local, _, state, *_ in lines)


@pytest.mark.parametrize("server", ["hub"], indirect=True)
def test_what_is_kept_is_stored_and_reaches_the_room_in_every_session(server: Server, cache: Path) -> None:
    """A second load generator is not taken for a repeat of the first."""
    for _ in range(2):
        with clients_of(server, cache, kept=True) as clients:
            clients.command("connect")
            clients.command("join")
            window = under(clients, "window 3")
            assert (window["deliveries"], window["missing"]) == (window["sent"] * (ROOM_SIZE - 1), 0)


@pytest.mark.parametrize("server", ["stock"], indirect=True)
def test_a_session_measures_what_each_thing_costs_the_server(server: Server, cache: Path) -> None:
    sessions = Sessions(server, FEW, compile_generator(cache), ANY_CORE.others, has_time=lambda: False)
    taken = sessions.coming_and_going({"connect", "memory", "rooms", "disconnect"})
    assert taken.keys() == {"connect", "memory", "rooms", "disconnect"}
    for row in ("connect", "rooms", "disconnect"):
        assert 5 < taken[row].value < 100_000, row  # µs: more than a system call, less than the whole test
    assert 1 < taken["memory"].value < 1000
    assert taken["rooms"].missing == 0


def test_a_refused_connection_ends_the_bench_with_the_reason(backends: Backends, cache: Path) -> None:
    """People whose tokens are signed with another key are no part of this hub."""
    strangers = Crowd(backends.database_url, new_key(), AccountsSettings(), backends.data)
    strangers.insert(CONNECTIONS, CONNECTIONS // ROOM_SIZE)
    with Hosts(ANY_CORE, cache, random.Random(1), backends).running("hub") as hub:
        foreign = Server(hub.ports, hub.pids, strangers)
        with clients_of(foreign, cache) as clients, pytest.raises(CannotMeasure, match="unauthorized"):
            clients.command("connect")

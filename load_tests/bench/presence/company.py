"""A cluster with people on it and watchers of them, and the history of what they saw."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from hub.kernel.tasks import Tasks
from load_tests.bench.cluster.backends import Backends
from load_tests.bench.cluster.nodes import Node, Nodes
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.presence.history import AnyRecord, Coming, Fault, Gone, Person, Still, There, Unwatching, Watching
from load_tests.bench.presence.people import Device, Scene, come_all, leave_all, now_ms
from load_tests.bench.presence.watchers import Watcher
from presence.schema import MAX_USERS

SECOND_DEVICE = 20
"""Every so many people have a second device, on another node: they do not go when the first one does."""
RECOVERS = 2
"""Every so many devices ask for their old connection when they come back; the others begin anew."""
SETTLE_S = 120.0
"""Longest wait until everybody is where they want to be: a node takes in some 600 a second."""
POLL_S = 0.05
CALM_S = 10.0
"""After the last loss: longer than anything may take, if Redis was not away."""


@dataclass
class Journal:
    """The history, and when something last happened to a connection."""

    records: list[AnyRecord] = field(default_factory=list)
    moved_ms: float = 0.0
    is_over: bool = False
    """Whether everybody goes home: that is not judged, since nobody waits for what it brings."""

    def write(self, record: AnyRecord) -> None:
        """Add a record."""
        if self.is_over:
            return
        self.records.append(record)
        if isinstance(record, Coming | There | Gone | Watching | Unwatching | Fault):
            self.moved_ms = record.t


@dataclass
class Company:
    """Everybody, and where they are."""

    backends: Backends
    nodes: Nodes
    journal: Journal
    scene: Scene
    firsts: Sequence[Device]
    """The first device of each person, all on one node to begin with."""
    seconds: Sequence[Device]
    watchers: Sequence[Watcher]

    def __post_init__(self) -> None:
        self._firsts = set(self.firsts)

    @property
    def home(self) -> Node:
        """The node of the first devices."""
        return self.nodes.all[0]

    @property
    def others(self) -> Sequence[Node]:
        """The nodes of second devices and watchers."""
        return self.nodes.all[1:]

    @property
    def devices(self) -> Sequence[Device]:
        """All."""
        return [*self.firsts, *self.seconds]

    async def gather(self, people: int | None = None) -> None:
        """Have so many people, or all, come to where they begin; the others leave. Raises CannotMeasure."""
        staying = self.firsts if people is None else self.firsts[:people]
        numbers = {device.person for device in staying}
        await leave_all([device for device in self.devices if device.person not in numbers and device.is_there])
        coming = [device for device in self.devices if device.person in numbers and not device.is_there]
        await come_all(coming, self.place)

    def place(self, device: Device) -> Node:
        """Where a device begins."""
        return self.home if device in self._firsts else self.others[device.person % len(self.others)]

    async def watch(self) -> None:
        """Have the watchers begin."""
        await asyncio.gather(
            *(watcher.come(self.others[number % len(self.others)]) for number, watcher in enumerate(self.watchers))
        )

    def fault(self, kind: str, what: str, *, over: bool = False) -> None:
        """Write down that something was broken, or mended."""
        self.journal.write(Fault(now_ms(), kind, what, over))

    async def settle(self, calm_s: float) -> None:
        """Wait until everybody is where they want to be and nothing has moved for so long. Raises CannotMeasure.

        If that is CALM_S or longer, what is shown has to be true then.
        """
        end = now_ms() + SETTLE_S * 1000
        while not self._is_settled() or now_ms() - self.journal.moved_ms < calm_s * 1000:
            if now_ms() > end:
                missing = sum(
                    device.wanted and not device.stays_away and not device.is_there for device in self.devices
                )
                raise CannotMeasure(f"{missing} devices are not back after {SETTLE_S:.0f} s")
            await asyncio.sleep(POLL_S)
        if calm_s >= CALM_S:
            self.journal.write(Still(now_ms()))

    def _is_settled(self) -> bool:
        back = all(device.is_there or device.stays_away or not device.wanted for device in self.devices)
        return back and all(watcher.is_there for watcher in self.watchers)


@contextlib.asynccontextmanager
async def running_company(
    folder: Path, backends: Backends, *, nodes: int, people: int, seed: int, settings: Mapping[str, str]
) -> AsyncIterator[Company]:
    """Nodes with these settings, so many people who have not come yet, and their watchers, who watch already.

    ``folder`` keeps the nodes' logs. Raises CannotMeasure.
    """
    cluster = Nodes(nodes, backends.environment | dict(settings), folder)
    tasks, journal = Tasks(), Journal()
    async with contextlib.AsyncExitStack() as held:
        held.push_async_callback(cluster.kill)  # to let ten thousand people go in good order takes a minute
        await cluster.start()
        http = await held.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        held.push_async_callback(tasks.close)
        scene = Scene(http, tasks, cluster, journal.write, random.Random(seed))
        company = _company(backends, cluster, journal, scene, people)
        await company.watch()
        yield company
        journal.is_over = True
        for device in company.devices:
            device.stop()
        for watcher in company.watchers:
            watcher.stop()


def _company(backends: Backends, cluster: Nodes, journal: Journal, scene: Scene, people: int) -> Company:
    watching = watchers_needed(people, len(cluster.all))
    tokens = backends.crowd.tokens(people + watching)
    ids = backends.crowd.people
    number: dict[str, Person] = {id_: person for person, id_ in enumerate(ids[:people])}
    groups = [dict(list(number.items())[start : start + MAX_USERS]) for start in range(0, people, MAX_USERS)]
    each = len(cluster.all) - 1
    watchers = [
        Watcher(scene, place, tokens[people + place], groups[place // each]) for place in range(len(groups) * each)
    ]

    def device(person: int, name: str) -> Device:
        return Device(scene, person, name, tokens[person], recovers=person % RECOVERS == 0)

    firsts = [device(person, "laptop") for person in range(people)]
    seconds = [device(person, "phone") for person in range(0, people, SECOND_DEVICE)]
    return Company(backends, cluster, journal, scene, firsts, seconds, watchers)


def watchers_needed(people: int, nodes: int) -> int:
    """Each person is watched on each node but the first."""
    return -(-people // MAX_USERS) * (nodes - 1)

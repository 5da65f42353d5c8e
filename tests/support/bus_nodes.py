"""Nodes that have a bus and nothing else, and what came over it."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from hub.cluster.bus import Bus
from hub.cluster.servers import servers_of
from hub.kernel.delivery import Delivery
from hub.kernel.ids import NodeId, RoomName
from hub.kernel.tasks import Tasks
from hub.kernel.wire import ServerEvent


class Said(ServerEvent):
    """An event with a number."""

    event = "test:said"
    number: int


class BusNode:
    """A node. Implements hub.cluster.bus.Members and keeps everything."""

    def __init__(self, name: str, url: str, tasks: Tasks, shards: int) -> None:
        self.name = name
        self.heard: dict[str, list[int]] = {}
        self.lost: list[list[RoomName]] = []
        """Rooms of which events were lost, as they were told."""
        self.bus = Bus(servers_of(url), NodeId(name), tasks, shards=shards)
        self.bus.serve(self)

    async def follow(self, rooms: Iterable[str]) -> None:
        for room in rooms:
            await self.bus.follow(RoomName(room))

    def publish(self, room: str, number: int, *, volatile: bool = False) -> None:
        self.bus.emit(Delivery.of([RoomName(room)], Said(number=number), None, volatile=volatile))

    def has_heard(self, counts: Mapping[str, int]) -> bool:
        """Whether so many events of each room have come."""
        return all(len(self.heard.get(room, ())) >= count for room, count in counts.items())

    async def is_ready(self) -> bool:
        """What readiness says."""
        try:
            await self.bus.check()
        except ConnectionError:
            return False
        return True

    def deliver(self, delivery: Delivery) -> None:
        for room in delivery.rooms:
            self.heard.setdefault(room, []).append(delivery.payload["number"])

    def command(self, room: RoomName, name: str, arguments: list[Any]) -> None:
        raise AssertionError(f"nobody sends {name}")

    def missed(self, rooms: Sequence[RoomName]) -> None:
        self.lost.append(list(rooms))


@asynccontextmanager
async def bus_nodes(url: str, *names: str, shards: int) -> AsyncIterator[list[BusNode]]:
    """Nodes that are ready, and follow nothing yet."""
    tasks = Tasks()
    nodes = [BusNode(name, url, tasks, shards) for name in names]
    try:
        for node in nodes:
            await node.bus.start()
        yield nodes
    finally:
        await tasks.close()
        for node in nodes:
            node.bus.close()

"""A process that only publishes: ``python -m load_tests.bench.cluster.publisher REDIS_URL SHARDS HISTORY``.

It has the bus of a node and no connections, so what it costs is publishing alone, and every node is another one. It is
told what to publish, a line of JSON each on standard input, and answers each with one line when it is in Redis.
"""

import asyncio
import sys
import time
from pathlib import Path

import msgspec

from core_api.rooms.schema import RoomMessage
from hub.cluster.bus import Bus
from hub.cluster.servers import servers_of
from hub.kernel.clock import SystemClock
from hub.kernel.delivery import Delivery
from hub.kernel.ids import NodeId, RoomName, UserId, new_ulid, new_uuid
from hub.kernel.tasks import Tasks
from hub.transport.eager import HubLoop
from load_tests.bench.cluster.history import EventId, Room, Sending, write_line

PUBLISHER = -1
"""Its number among the clients."""


class Order(msgspec.Struct, frozen=True):
    """What to publish: so many events, to these rooms in turn."""

    rooms: list[Room]
    kept: bool
    count: int
    per_second: float
    at_once: int = 1
    """So many in one turn of the loop, as a busy node does it."""


class Answer(msgspec.Struct, frozen=True):
    """How long it took."""

    seconds: float


class Publishing:
    """Publishes on a bus at a pace that does not depend on how fast it is."""

    def __init__(self, bus: Bus, history: Path) -> None:
        self._bus = bus
        self._history = history
        self._published = 0
        self._user = UserId(new_uuid())
        self._now = SystemClock().now()

    async def publish(self, order: Order) -> Answer:
        """Publish all of it, and return when it is in Redis."""
        began, due, written = time.monotonic(), 0.0, bytearray()
        for number in range(order.count):
            if number % order.at_once == 0:
                due = began + number / order.per_second
                await asyncio.sleep(max(due - time.monotonic(), 0.0))
            now, room = time.monotonic(), order.rooms[number % len(order.rooms)]
            self._published += 1
            event = f"{PUBLISHER}-{self._published}"
            delivery = self._delivery(room, event, min(due, now), kept=order.kept)  # uvloop wakes up early by half a ms
            written += write_line(Sending(now * 1000, PUBLISHER, room, event))
            self._bus.emit(delivery)
        await self._bus.flushed()
        with self._history.open("ab") as file:
            file.write(written)
        return Answer(time.monotonic() - began)

    def _delivery(self, room: Room, event: EventId, due: float, *, kept: bool) -> Delivery:
        message = RoomMessage(
            room_id=room,
            sender=self._user,
            body=msgspec.Raw(b'{"id":"%s","ts":"%019d"}' % (event.encode(), due * 1e9)),  # for loadgen/dialect.c
            sent_at=self._now,
            message_id=self._user,
            seq=self._published,
        )
        return Delivery.of([RoomName(f"room:{room}")], message, volatile=not kept)


async def _serve(redis_url: str, shards: int, history: Path) -> None:
    tasks = Tasks()
    bus = Bus(servers_of(redis_url), NodeId(new_ulid()), tasks, shards=shards)
    await bus.start()
    publishing = Publishing(bus, history)
    print("{}", flush=True)
    try:
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            answer = await publishing.publish(msgspec.json.decode(line, type=Order))
            print(msgspec.json.encode(answer).decode(), flush=True)
    finally:
        await tasks.close()
        bus.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=HubLoop) as runner:
        runner.run(_serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))

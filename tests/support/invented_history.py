"""Histories of a cluster that does all it promises, invented without one: what the checker must find nothing in."""

import random
from collections import defaultdict
from dataclasses import dataclass, field

from load_tests.bench.cluster.history import (
    Acknowledged,
    AnyRecord,
    Connected,
    Disconnected,
    Ended,
    Got,
    Joined,
    Joining,
    Leaving,
    Left,
    Ordered,
    Sending,
)

ROOMS = ("red", "blue")
CLIENTS = 4


@dataclass
class _Member:
    """A client in a room: how far it has got, and how far it may get."""

    place: int


@dataclass
class _Invention:
    draw: random.Random
    records: list[AnyRecord] = field(default_factory=list)
    order: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    """Of each room: events with their senders."""
    members: dict[tuple[int, str], _Member] = field(default_factory=dict)
    now: float = 0.0
    number: int = 1_000

    def tick(self) -> float:
        self.now += 1.0
        return self.now

    def join(self, client: int, room: str) -> None:
        if (client, room) in self.members:
            return
        self.records.append(Joining(self.tick(), client, room))
        # The node of the client may lag behind: what others have had already may come once more, after the join.
        self.members[client, room] = _Member(max(len(self.order[room]) - self.draw.randrange(3), 0))
        if self.draw.random() < 0.5:
            self.deliver(client, room)
        self.records.append(Joined(self.tick(), client, room))

    def leave(self, client: int, room: str) -> None:
        if (client, room) not in self.members:
            return
        self.records.append(Leaving(self.tick(), client, room))
        self.deliver(client, room)
        del self.members[client, room]
        self.records.append(Left(self.tick(), client, room))

    def send(self, client: int, room: str) -> None:
        if (client, room) not in self.members:
            return
        self.number += self.draw.randrange(1, 4)
        event, seq = f"{client}-{self.number}", len(self.order[room]) + 1
        self.records.append(Sending(self.tick(), client, room, event))
        self.records.append(Ordered(self.tick(), room, event, self.number))
        self.order[room].append((event, client))
        if self.draw.random() < 0.2:
            self.records.append(Sending(self.tick(), client, room, event))  # repeated: the answer was slow
        self.records.append(Acknowledged(self.tick(), client, room, event, seq))

    def deliver(self, client: int, room: str, *, everything: bool = False) -> None:
        member = self.members.get((client, room))
        while member is not None and member.place < len(self.order[room]):
            event, sender = self.order[room][member.place]
            member.place += 1
            if sender != client:
                self.records.append(Got(self.tick(), client, room, event, member.place))
            if not everything and self.draw.random() < 0.4:
                return

    def reconnect(self, client: int) -> None:
        self.records.append(Disconnected(self.tick(), client, "transport close"))
        recovered = self.draw.random() < 0.5
        self.records.append(Connected(self.tick(), client, recovered))
        if not recovered:
            for room in ROOMS:
                self.members.pop((client, room), None)


def invent(seed: int, steps: int = 150) -> list[AnyRecord]:
    """A history in which every client gets, in every room and until it is told, all that it is owed."""
    it = _Invention(random.Random(seed))
    for client in range(CLIENTS):
        it.records.append(Connected(it.tick(), client, recovered=False))
        it.join(client, ROOMS[client % 2])
    acts = [it.send, it.send, it.send, it.deliver, it.deliver, it.deliver, it.join, it.leave]
    for _ in range(steps):
        client, room = it.draw.randrange(CLIENTS), it.draw.choice(ROOMS)
        if it.draw.random() < 0.05:
            it.reconnect(client)
        else:
            it.draw.choice(acts)(client, room)
    for client, room in list(it.members):
        it.deliver(client, room, everything=True)
    for client in range(CLIENTS):
        it.records.append(Ended(it.tick(), client, connected=True))
    return it.records

"""Shards as nodes have them, and what came over them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from hub.cluster.link import Link
from hub.cluster.publisher import Outgoing, Publisher, new_message_id
from hub.cluster.servers import servers_of
from hub.cluster.shard import Shard
from hub.cluster.shard_commands import ShardCommands
from hub.kernel.tasks import Tasks


class Heard:
    """Implements hub.cluster.shard.Audience and keeps everything."""

    def __init__(self) -> None:
        self.kept: dict[str, list[str]] = {}
        self.ephemeral: dict[str, list[str]] = {}
        self.lost: list[str | None] = []
        self.said: list[bytes] = []
        self.moves: list[int] = []

    def moved(self, shard: Shard) -> None:
        self.moves.append(shard.position)

    def deliver(self, room: str, event: bytes, *, kept: bool) -> None:
        (self.kept if kept else self.ephemeral).setdefault(room, []).append(event.decode())

    def missed(self, shard: Shard, room: str | None) -> None:
        self.lost.append(room)
        for name in list(self.kept) if room is None else [room]:
            self.kept.setdefault(name, []).append("(missed)")

    def told(self, message: bytes) -> None:
        self.said.append(message)


class ShardNode:
    """A node that has one shard."""

    def __init__(self, name: str, url: str, index: int = 0) -> None:
        self.name = name
        self.heard = Heard()
        self.commands = ShardCommands(index, servers_of(url))
        self.shard = Shard(self.commands, name, self.heard)
        self.publisher = Publisher(self.commands)

    def publish(self, room: str, event: str) -> None:
        self.publisher.publish(Outgoing(room, event.encode(), new_message_id()))

    def whisper(self, room: str, event: str) -> None:
        self.publisher.publish(Outgoing(room, self.shard.ephemeral(event.encode()), None))

    async def follow(self, room: str) -> None:
        await self.shard.follow(room)

    def has_heard(self, counts: Mapping[str, int]) -> bool:
        """Whether so many kept events of each room have come."""
        return all(len(self.heard.kept.get(room, ())) >= count for room, count in counts.items())

    @property
    def link(self) -> Link:
        assert self.shard._link is not None
        return self.shard._link


@asynccontextmanager
async def shard_nodes(url: str, *names: str) -> AsyncIterator[list[ShardNode]]:
    """Nodes that run, and follow nothing yet."""
    nodes = [ShardNode(name, url) for name in names]
    tasks = Tasks()
    for node in nodes:
        tasks.start(node.shard.run(), name="shard")
        tasks.start(node.publisher.run(), name="publisher")
    try:
        yield nodes
    finally:
        await tasks.close()
        for node in nodes:
            node.commands.close()

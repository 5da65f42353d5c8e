"""Nodes that ask and tell each other inside the test's own process, without a bus."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from hub.kernel.ids import NodeId
from hub.kernel.operations import A, Q, Replies


class LocalPeers:
    """Implements hub.kernel.operations.Peers for one of several nodes. What is said is encoded, as over a bus."""

    def __init__(self, nodes: "dict[NodeId, LocalPeers]", name: str) -> None:
        self.id = NodeId(name)
        self.nodes = nodes
        self.loses: str | None = None
        """The next notice of this name to this node does not arrive."""
        self.asked: list[str] = []
        """What this node has asked the others."""
        self._served: dict[str, tuple[type[Any], Callable[[Any], Awaitable[msgspec.Struct]]]] = {}
        self._heard: dict[str, tuple[type[Any], Callable[[NodeId, Any], None]]] = {}
        nodes[self.id] = self

    def serve(self, name: str, question: type[Q], answer: Callable[[Q], Awaitable[msgspec.Struct]]) -> None:
        self._served[name] = question, answer

    def hear(self, name: str, notice: type[Q], listener: Callable[[NodeId, Q], None]) -> None:
        self._heard[name] = notice, listener

    async def ask(
        self, name: str, question: msgspec.Struct, answer: type[A], *, within_s: float, others: bool = False
    ) -> Replies[A]:
        self.asked.append(name)
        answers: dict[NodeId, A] = {}
        missing: list[NodeId] = []
        for node in list(self.nodes.values()):
            if others and node is self:
                continue
            if name not in node._served:
                missing.append(node.id)
                continue
            shape, serve = node._served[name]
            await asyncio.sleep(0)
            answers[node.id] = _over(await serve(_over(question, shape)), answer)
        return Replies(answers, missing)

    def tell(self, nodes: Iterable[NodeId], name: str, notice: msgspec.Struct) -> None:
        for node in nodes:
            peer = self.nodes[node]
            if peer.loses == name:
                peer.loses = None
            else:
                shape, listener = peer._heard[name]
                listener(self.id, _over(notice, shape))


def local_peers(*names: str) -> list[LocalPeers]:
    """So many nodes that know each other."""
    nodes: dict[NodeId, LocalPeers] = {}
    return [LocalPeers(nodes, name) for name in names]


def _over(said: msgspec.Struct, shape: type[A]) -> A:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(said), type=shape)

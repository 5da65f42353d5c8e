"""Requests from node to node with their replies, and notices without, over the channel that every node has on the bus.

They are ephemeral: what a link loses is not sent again. So whoever asks learns who has not answered, and asks again.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple

import msgspec

from hub.cluster.bus import Bus
from hub.kernel.errors import PayloadTooLarge, Unavailable
from hub.kernel.ids import NodeId
from hub.kernel.operations import A, Q, Replies
from hub.kernel.ports import Nodes
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

MAX_BYTES: Final = 1 << 20
"""Of a request and of a reply: it passes through Redis, in front of the events of the shard."""
SERVED_AT_ONCE: Final = 100
"""Requests of other nodes. One more is refused, so that a node that is asked too much goes on serving its clients."""
AGAIN_S: Final = 0.1
"""Until a node is asked again that did not hear the bus: it needs about as long for a new link."""

_pack = msgspec.msgpack.Encoder().encode


class Request(msgspec.Struct, array_like=True, tag=0):
    """Something to answer."""

    sender: str
    number: int
    name: str
    body: msgspec.Raw


class Reply(msgspec.Struct, array_like=True, tag=1):
    """The answer, or with ``done`` unset the reason why there is none."""

    sender: str
    number: int
    done: bool
    body: msgspec.Raw


class Notice(msgspec.Struct, array_like=True, tag=2):
    """Something to know."""

    sender: str
    name: str
    body: msgspec.Raw


class Unanswered(Exception):
    """A request cannot be answered; the message says why."""


class Asked(NamedTuple):
    """A request whose reply is waited for."""

    node: NodeId
    reply: asyncio.Future[bytes]


_read = msgspec.msgpack.Decoder(Request | Reply | Notice).decode


class NodeRequests:
    """Implements hub.kernel.operations.Peers."""

    def __init__(self, bus: Bus, nodes: Nodes, tasks: Tasks) -> None:
        self._bus = bus
        self._nodes = nodes
        self._tasks = tasks
        self._served: dict[str, Callable[[bytes], Awaitable[bytes]]] = {}
        self._heard: dict[str, Callable[[NodeId, bytes], None]] = {}
        self._asked: dict[int, Asked] = {}
        self._numbers = itertools.count(1)
        self._serving = 0
        bus.told_us = self.take

    def serve(self, name: str, question: type[Q], answer: Callable[[Q], Awaitable[msgspec.Struct]]) -> None:
        """See hub.kernel.operations.Peers."""
        read = msgspec.msgpack.Decoder(question).decode

        async def serve(body: bytes) -> bytes:
            reply = _pack(await answer(read(body)))
            if len(reply) > MAX_BYTES:
                raise Unanswered(f"the answer has {len(reply)} bytes")
            return reply

        self._served[name] = serve

    def hear(self, name: str, notice: type[Q], listener: Callable[[NodeId, Q], None]) -> None:
        """See hub.kernel.operations.Peers."""
        read = msgspec.msgpack.Decoder(notice).decode
        self._heard[name] = lambda sender, body: listener(sender, read(body))

    # ---------------------------------------------------------------- out

    async def ask(
        self, name: str, question: msgspec.Struct, answer: type[A], *, within_s: float, others: bool = False
    ) -> Replies[A]:
        """See hub.kernel.operations.Peers."""
        body = _bounded(question)
        nodes = sorted(await self._live(within_s) - ({self._nodes.node_id} if others else set()))
        replies = await asyncio.gather(*(self._answer_of(node, name, body, answer, within_s) for node in nodes))
        found = {node: reply for node, reply in zip(nodes, replies, strict=True) if reply is not None}
        return Replies(found, [node for node in nodes if node not in found])

    async def _live(self, within_s: float) -> frozenset[NodeId]:
        try:
            async with asyncio.timeout(within_s):
                return await self._nodes.live()
        except TimeoutError:
            raise Unavailable("Redis does not say which nodes there are.") from None

    async def _answer_of(self, node: NodeId, name: str, body: bytes, answer: type[A], within_s: float) -> A | None:
        try:
            async with asyncio.timeout(within_s):
                reply = await (self._serve(name, body) if node == self._nodes.node_id else self._send(node, name, body))
            return msgspec.msgpack.decode(reply, type=answer)
        except (TimeoutError, Unavailable, Unanswered, msgspec.MsgspecError) as error:
            log.warning("node %s has not answered %r: %r", node, name, error)
            return None

    async def _send(self, node: NodeId, name: str, body: bytes) -> bytes:
        number = next(self._numbers)
        asked = self._asked[number] = Asked(node, asyncio.get_running_loop().create_future())
        request = _pack(Request(self._nodes.node_id, number, name, msgspec.Raw(body)))
        try:
            while not await self._bus.tell(node, request):  # noqa: ASYNC110
                await asyncio.sleep(AGAIN_S)  # nothing here tells when another node hears again
            return await asked.reply
        finally:
            del self._asked[number]

    def tell(self, nodes: Iterable[NodeId], name: str, notice: msgspec.Struct) -> None:
        """See hub.kernel.operations.Peers."""
        message = _pack(Notice(self._nodes.node_id, name, msgspec.Raw(_pack(notice))))
        for node in nodes:
            self._tasks.start(self._try_to_tell(node, message), name="notice to a node")

    async def _try_to_tell(self, node: NodeId, message: bytes) -> None:
        try:
            if len(message) > MAX_BYTES:
                raise Unanswered(f"{len(message)} bytes")
            await self._bus.tell(node, message)
        except (Unavailable, Unanswered) as error:
            log.warning("a notice to node %s is lost: %r", node, error)

    # ---------------------------------------------------------------- in

    def take(self, message: bytes) -> None:
        """Take what another node says to this one."""
        try:
            said = _read(message)
            match said:
                case Request():
                    self._tasks.start(self._reply_to(said), name="request of a node")
                case Reply():
                    self._arrived(said)
                case Notice():
                    if (listener := self._heard.get(said.name)) is not None:
                        listener(NodeId(said.sender), bytes(said.body))
        except Exception:
            log.exception("what another node said is not understood: is it of another version?")

    def _arrived(self, reply: Reply) -> None:
        asked = self._asked.get(reply.number)
        if asked is None or asked.node != reply.sender or asked.reply.done():
            return  # it comes too late
        if reply.done:
            asked.reply.set_result(bytes(reply.body))
        else:
            asked.reply.set_exception(Unanswered(msgspec.msgpack.decode(reply.body, type=str)))

    async def _reply_to(self, request: Request) -> None:
        body: Any
        self._serving += 1
        try:
            if self._serving > SERVED_AT_ONCE:
                raise Unanswered("it is asked too much")
            done, body = True, await self._serve(request.name, bytes(request.body))
        except Unanswered as error:
            done, body = False, _pack(str(error))
        finally:
            self._serving -= 1
        try:
            reply = _pack(Reply(self._nodes.node_id, request.number, done, msgspec.Raw(body)))
            await self._bus.tell(NodeId(request.sender), reply)
        except Unavailable as error:
            log.warning("an answer to node %s is lost: %r", request.sender, error)

    async def _serve(self, name: str, body: bytes) -> bytes:
        """The answer. Raises Unanswered, whatever is wrong."""
        serve = self._served.get(name)
        if serve is None:
            raise Unanswered("there is nothing of that name")
        try:
            return await serve(body)
        except Unanswered:
            raise
        except Exception as error:
            log.exception("a request for %r was not answered", name)
            raise Unanswered(f"it failed there: {type(error).__name__}") from error


def _bounded(question: msgspec.Struct) -> bytes:
    body = _pack(question)
    if len(body) > MAX_BYTES:
        raise PayloadTooLarge(f"A request to the nodes has at most {MAX_BYTES} bytes.")
    return body

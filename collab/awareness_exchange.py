"""Who is where in the open documents of this node, told between nodes on the channels of the documents.

Each node speaks for its own connections, and remembers what the others say: whoever joins here is told from memory.
Messages may be lost. Clients renew their states every 15 s, so what was lost is made up for, and what is not renewed
for 30 s goes.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence

from collab import awareness
from collab.awareness import State
from collab.awareness_table import AwarenessTable
from collab.decoding import BadUpdate
from collab.hints import Hints
from hub.kernel.errors import Unavailable
from hub.kernel.ids import NodeId
from hub.kernel.ports import Nodes
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often nodes that died and states that fell silent are looked for."""
TELL = b"s"
"""Before an awareness update of the sender's own clients."""
ASK = b"?"
"""The sender has just opened the document: who is there?"""
NODE_ID_BYTES = 26
"""A ULID, before each message."""

Show = Callable[[str, bytes, str | None], None]
"""Shows the clients here an awareness update of a document; the last is the connection that it came from, if any."""


class AwarenessExchange:
    """The awareness of every document that is open on this node. ``show`` must be set before anything is taken."""

    def __init__(self, hints: Hints, nodes: Nodes, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._hints = hints
        self._nodes = nodes
        self._node: NodeId = nodes.node_id
        self._monotonic = monotonic
        self._tables: dict[str, AwarenessTable] = {}
        self._untold: dict[str, dict[int, State]] = {}
        """Document → client → the newest state that other nodes were not told. While Redis is slow, a cursor that
        moves takes no more room than one that does not."""
        self._asking: set[str] = set()
        self._wake = asyncio.Event()
        self._tasks = Tasks()
        self.show: Show = lambda _document, _update, _connection: None
        hints.overhear = self._overhear

    def start(self) -> None:
        """Begin to tell other nodes, and to look for who is gone."""
        self._tasks.start(self._tell_for_ever(), name="cursors for other nodes")
        self._tasks.start(self._look_for_ever(), name="cursors of those who are gone")

    async def close(self) -> None:
        """Tell what is untold, for at most a second, and stop."""
        try:
            async with asyncio.timeout(LOOK_S):
                await self._tell()
        except TimeoutError:
            log.info("other nodes take away by themselves who was here")
        await self._tasks.close()

    def open(self, document_id: str) -> None:
        """Remember who is in a document, and ask the other nodes if it was not open. It is subscribed already."""
        if document_id not in self._tables:
            self._tables[document_id] = AwarenessTable()
            self._asking.add(document_id)
            self._wake.set()

    def close_document(self, document_id: str) -> None:
        """Nobody here has it open any more. Its connections have been taken out before."""
        self._tables.pop(document_id, None)

    def take(self, document_id: str, connection: str, update: bytes) -> None:
        """Relay what a connection of this node says. Raises TooMuch and BadUpdate.

        Nothing happens if the document is not open.
        """
        states = awareness.decode(update)
        table = self._tables.get(document_id)
        if table is not None:
            self._relay(document_id, table.take(connection, states, self._monotonic()), connection)

    def remove(self, document_id: str, connection: str) -> None:
        """A connection of this node has gone, or closed the document."""
        table = self._tables.get(document_id)
        if table is not None:
            self._relay(document_id, table.remove(connection, self._monotonic()), None)

    def present(self, document_id: str) -> bytes | None:
        """The update with everybody, if there is anybody."""
        table = self._tables.get(document_id)
        states = [] if table is None else table.present()
        return awareness.encode(states) if states else None

    def _relay(self, document_id: str, news: Sequence[State], connection: str | None) -> None:
        if news:
            self.show(document_id, awareness.encode(news), connection)
            self._tell_soon(document_id, news)

    def _tell_soon(self, document_id: str, states: Iterable[State]) -> None:
        self._untold.setdefault(document_id, {}).update({state.client: state for state in states})
        self._wake.set()

    # ---------------------------------------------------------------- between nodes

    def _overhear(self, document_id: str, text: bytes) -> None:
        node, kind, update = text[:NODE_ID_BYTES].decode("latin-1"), text[NODE_ID_BYTES:][:1], text[NODE_ID_BYTES + 1 :]
        table = self._tables.get(document_id)
        if table is None or node == self._node:
            return
        if kind == ASK:
            if own := table.own():
                self._tell_soon(document_id, own)
        elif kind == TELL:
            try:
                states = awareness.decode(update, limited=False)
            except BadUpdate as error:
                log.warning("node %s says of document %s what cannot be read: %s", node, document_id, error)
                return
            if news := table.hear(node, states, self._monotonic()):
                self.show(document_id, awareness.encode(news), None)

    async def _tell_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._tell()

    async def _tell(self) -> None:
        asking, self._asking = self._asking, set()
        untold, self._untold = self._untold, {}
        sender = self._node.encode()
        messages = [(document_id, sender + ASK) for document_id in asking]
        for document_id, states in untold.items():
            messages.append((document_id, sender + TELL + awareness.encode(states.values())))
        if messages:
            await self._hints.whisper(messages)

    # ---------------------------------------------------------------- those who are gone

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Take away what nobody renews, and who was at a node that is no more."""
        now = self._monotonic()
        for document_id, table in list(self._tables.items()):
            self._show_gone(document_id, table.expire(now))
        named = {document_id: table.nodes() for document_id, table in self._tables.items()}
        if not any(named.values()):
            return
        try:
            live = await self._nodes.live()
        except Unavailable:
            return  # nobody can be told dead; who is, falls silent
        for document_id, nodes in named.items():
            if document_id in self._tables and (dead := nodes - live):
                gone = self._tables[document_id].remove_nodes(dead, self._monotonic())
                self._show_gone(document_id, gone)

    def _show_gone(self, document_id: str, gone: Sequence[State]) -> None:
        """Every node finds this by itself, so that others need not be told."""
        if gone:
            self.show(document_id, awareness.encode(gone), None)

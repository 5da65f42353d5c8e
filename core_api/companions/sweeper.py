"""What a node does about replies by itself: ends those that nobody writes any more, stops those that were cancelled."""

import asyncio
import logging

from core_api.companions.chat_schema import CompanionDone, CompanionTyping
from core_api.companions.language import LanguageModelUnavailable
from core_api.companions.live import STOPS, LiveReplies
from core_api.companions.model import UnderWay
from core_api.companions.settings import CompanionSettings
from core_api.companions.store import ChatStore
from hub.kernel.clock import Clock
from hub.kernel.errors import Unavailable
from hub.kernel.ids import NodeId, user_room
from hub.kernel.ports import Nodes, Rooms

log = logging.getLogger(__name__)


class ReplySweeper:
    """Every node runs one. The store sees to it that each reply ends once, so that any of them can be missing."""

    def __init__(
        self,
        store: ChatStore,
        replies: LiveReplies,
        rooms: Rooms,
        nodes: Nodes,
        clock: Clock,
        settings: CompanionSettings,
    ) -> None:
        self._store = store
        self._replies = replies
        self._rooms = rooms
        self._nodes = nodes
        self._clock = clock
        self._settings = settings
        self._suspects: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Listen for stops, and sweep, until cancelled."""
        async with self._rooms.listen(STOPS, self._replies.heard):
            while True:
                await asyncio.sleep(self._settings.sweep_every_s)
                try:
                    await self.sweep()
                except Exception as error:  # not even a defect of ours may leave conversations blocked for ever
                    log.warning("replies are not swept: %r", error)

    async def sweep(self) -> None:
        """Look once. Only what two sweeps in a row find is ended: rows and leases are not read at one moment."""
        here = dict(self._replies.live)  # before the rows: what begins meanwhile is in neither
        rows = await self._store.under_way()
        nodes = await self._live_nodes()
        for row in rows:
            if row.cancel_asked and row.reply_id in here:
                here[row.reply_id].stop("cancelled")
        abandoned = {row.reply_id: row for row in rows if self._is_abandoned(row, nodes)}
        gone = here.keys() - {row.reply_id for row in rows}
        for reply_id in self._suspects & abandoned.keys():
            await self._fail(abandoned[reply_id])
        for reply_id in self._suspects & gone:  # with its companion, or taken for dead: nobody can keep it any more
            here[reply_id].stop("cancelled")
        self._suspects = frozenset(abandoned.keys() | gone)

    def _is_abandoned(self, row: UnderWay, nodes: frozenset[NodeId] | None) -> bool:
        if self._clock.now() > row.deadline_at:
            return True
        if row.node_id == self._nodes.node_id:  # written, but not stored: the database was away
            return row.reply_id not in self._replies.live
        return nodes is not None and row.node_id not in nodes

    async def _live_nodes(self) -> frozenset[NodeId] | None:
        try:
            return await self._nodes.live()
        except Unavailable:
            return None  # then the deadlines alone decide

    async def _fail(self, row: UnderWay) -> None:
        """End a reply in the place of the node that does not, and tell its owner."""
        ending = await self._store.fail(row.reply_id)
        if ending is None:
            return
        log.info("reply %s of node %s ends as %s", row.reply_id, row.node_id, ending)
        error = None
        if ending == "failed":
            error = LanguageModelUnavailable("The node that wrote the reply is gone. Say it again.").to_wire()
        done = CompanionDone(
            companion_id=row.companion_id,
            conversation_id=row.conversation_id,
            message_id=row.reply_id,
            status=ending,
            text="",
            responder="",
            emotion=None,
            suggested_actions=[],
            memories=[],
            error=error,
        )
        typing = CompanionTyping(companion_id=row.companion_id, conversation_id=row.conversation_id, typing=False)
        for event in (done, typing):
            await self._rooms.emit(user_room(row.owner_id), event)

"""The replies that are being written on this node."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal

from core_api.companions.actions import suggested_actions
from core_api.companions.author import Author, Draft
from core_api.companions.chat_schema import ChatReply, CompanionDelta, CompanionDone, CompanionTyping, StopReply
from core_api.companions.language import LanguageModelUnavailable
from core_api.companions.model import Companion, Exchange, Written
from core_api.companions.settings import CompanionSettings
from core_api.companions.store import Begun, ChatStore
from core_api.companions.streaming import Generation, TooLong
from hub.kernel.clock import Clock
from hub.kernel.errors import HubError, Overloaded, RateLimited
from hub.kernel.ids import NodeId, RoomName, UserId, new_uuid, user_room
from hub.kernel.ports import Rooms
from hub.kernel.tasks import Tasks

log = logging.getLogger(__name__)

STOPS = RoomName("companion-replies")
"""Where all nodes listen for replies to stop. No connection is ever in it."""
STORE_AGAIN_S = 0.5
"""Pause before another try to store a reply."""
SETTLE_S = 5.0
"""Longest wait for the replies of a node that closes to be stored."""


class LiveReply:
    """A reply that is being written here."""

    def __init__(self, draft: Draft, begun: Begun, generation: Generation) -> None:
        self.draft = draft
        self.begun = begun
        self.generation = generation
        self.told = 0
        """Deltas sent."""
        self.error: HubError | None = None
        self.ended = asyncio.Event()
        self.result: ChatReply | Exception = LanguageModelUnavailable()

    async def answer(self) -> ChatReply:
        """The whole reply, once it has ended. Raises LanguageModelUnavailable, or what went wrong."""
        await self.ended.wait()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class LiveReplies:
    """Writes replies in the background: stored as ``generating`` first, streamed to the owner's devices, then ended.

    What ends a reply is the row in the store, which changes once. So whoever asks for a stop, or finds a node dead,
    needs no word of the node that writes.
    """

    def __init__(
        self,
        store: ChatStore,
        author: Author,
        rooms: Rooms,
        clock: Clock,
        settings: CompanionSettings,
        node_id: NodeId,
        *,
        explain: Callable[[BaseException], HubError | None],
    ) -> None:
        """``explain`` gives the error to show for an exception of a store, ``None`` for a bug."""
        self._store = store
        self._author = author
        self._rooms = rooms
        self._clock = clock
        self._settings = settings
        self._node_id = node_id
        self._explain = explain
        self._tasks = Tasks()
        self._live: dict[str, Generation] = {}
        self._owners: list[UserId] = []
        """Whose they are, one entry a reply."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False

    @property
    def live(self) -> Mapping[str, Generation]:
        """What is being written here, by the id of the reply; an id is in it before its row is."""
        return self._live

    async def begin(
        self, companion: Companion, text: str, conversation_id: str | None, client_id: str | None
    ) -> tuple[Begun, LiveReply | None] | None:
        """Store a message and begin the reply to it; no reply for a repeat, ``None`` as ChatStore.begin.

        Raises Overloaded, RateLimited (the owner has as many replies under way here as one person may), ReplyUnderWay.
        """
        if self._closing or len(self._live) >= self._settings.replies_at_once:
            raise Overloaded("The companions of this node are busy. Try again in a moment.", retry_after=1)
        now, settings = self._clock.now(), self._settings
        if self._owners.count(companion.owner_id) >= settings.replies_per_person:
            raise RateLimited("Your companions are still answering. Wait for a reply, or cancel one.", retry_after=1)
        exchange = Exchange(
            companion_id=companion.id,
            owner_id=companion.owner_id,
            conversation_id=conversation_id,
            message_id=new_uuid(),
            client_id=client_id,
            text=text,
            reply_id=new_uuid(),
            node_id=self._node_id,
            deadline_at=now + timedelta(seconds=settings.reply_s + settings.store_s),
            created_at=now,
        )
        generation = Generation(limit_s=settings.reply_s, tell_every_s=settings.delta_every_s)
        self._live[exchange.reply_id] = generation
        self._owners.append(companion.owner_id)
        self._idle.clear()
        reply = None
        try:
            begun = await self._store.begin(exchange)
            if begun is not None and not begun.repeated:
                draft = Draft(companion, begun.conversation_id, exchange.message_id, text, begun.seq)
                reply = LiveReply(draft, begun, generation)
                self._tasks.start(self._write(reply), name="companion reply")
        finally:
            if reply is None:
                self._forget(exchange.reply_id, companion.owner_id)
        return None if begun is None else (begun, reply)

    async def stop(self, reply_id: str) -> None:
        """Stop a reply on whichever node writes it. A node that does not hear of it sees it in the store."""
        await self._rooms.emit(STOPS, StopReply(message_id=reply_id))

    def heard(self, _event: str, payload: Any) -> None:
        """Take a stop from any node: the listener of STOPS."""
        if (generation := self._live.get(payload["messageId"])) is not None:
            generation.stop("cancelled")

    async def close(self) -> None:
        """End what is being written, as failed, with the text so far; take no more. Safe to call twice."""
        self._closing = True
        for generation in self._live.values():
            generation.stop("failed")
        try:
            async with asyncio.timeout(SETTLE_S):
                await self._idle.wait()
        except TimeoutError:
            log.warning("%d replies could not be stored; other nodes will say that they failed", len(self._live))
        await self._tasks.close()

    def _forget(self, reply_id: str, owner_id: UserId) -> None:
        del self._live[reply_id]
        self._owners.remove(owner_id)
        if not self._live:
            self._idle.set()

    async def _write(self, reply: LiveReply) -> None:
        """From the first word to the last. Whatever happens, nobody is left waiting."""
        owner_id = reply.draft.companion.owner_id
        try:
            done = await self._generate(reply)
            # Not if another node took this one for dead, and has said so, or if the companion was deleted.
            if await self._finish(reply.begun.reply_id, _written(done)):
                await self._rooms.emit(user_room(owner_id), done)
                reply.result = reply.error or _answer(done)
        except Exception as failure:
            log.exception("reply %s is not stored; it will be found and told as failed", reply.begun.reply_id)
            reply.result = failure
        finally:
            self._forget(reply.begun.reply_id, owner_id)
            reply.ended.set()

    async def _finish(self, reply_id: str, written: Written) -> bool:
        """End a reply in the store, also through a short outage: it took its owner long to get, and maybe money."""
        async with asyncio.timeout(self._settings.store_s):
            while True:
                try:
                    return await self._store.finish(reply_id, written)
                except Exception as failure:
                    log.info("reply %s is not stored yet: %r", reply_id, failure)
                await asyncio.sleep(STORE_AGAIN_S)

    async def _generate(self, reply: LiveReply) -> CompanionDone:
        """Run the generation to its end, whatever that is."""
        await self._tell_typing(reply, typing=True)
        try:
            reply.error = await self._run(reply)
        finally:
            # Before the reply is stored: from then on the next one may begin, and type.
            await self._tell_typing(reply, typing=False)
        return await self._done(reply)

    async def _run(self, reply: LiveReply) -> HubError | None:
        """Run the generation, and give what went wrong."""

        async def tell(text: str) -> None:
            reply.told += 1
            delta = CompanionDelta(message_id=reply.begun.reply_id, seq=reply.told, text=text)
            await self._rooms.emit(user_room(reply.draft.companion.owner_id), delta)

        try:
            await reply.generation.run(self._author.write(reply.draft), tell)
        except TooLong:
            return LanguageModelUnavailable(f"The reply took longer than {self._settings.reply_s:g} s.")
        except HubError as error:
            return error
        except Exception as error:
            log.exception("a reply broke off")
            return self._explain(error) or HubError()
        if reply.generation.stopped == "failed":
            return LanguageModelUnavailable("The node that wrote the reply is stopping. Say it again.")
        return None

    async def _done(self, reply: LiveReply) -> CompanionDone:
        """The reply as it ended: what is told, kept and answered."""
        draft, text, error = reply.draft, reply.generation.text, reply.error
        if error is not None:  # whoever began the conversation with this message needs its id to go on
            error.details |= {"conversationId": draft.conversation_id, "messageId": reply.begun.reply_id}
        status: Literal["done", "cancelled", "failed"] = reply.generation.stopped or "done"
        return CompanionDone(
            companion_id=draft.companion.id,
            conversation_id=draft.conversation_id,
            message_id=reply.begun.reply_id,
            status=status if error is None else "failed",
            text=text,
            responder=self._author.name,
            emotion=await self._author.feel(text),
            suggested_actions=suggested_actions(draft.text) if error is None else [],
            memories=draft.memories,
            error=None if error is None else error.to_wire(),
        )

    async def _tell_typing(self, reply: LiveReply, *, typing: bool) -> None:
        companion, conversation_id = reply.draft.companion, reply.draft.conversation_id
        event = CompanionTyping(companion_id=companion.id, conversation_id=conversation_id, typing=typing)
        await self._rooms.emit(user_room(companion.owner_id), event)


def _written(done: CompanionDone) -> Written:
    return Written(
        status=done.status,
        text=done.text,
        responder=done.responder,
        emotion=done.emotion,
        memory_ids=[memory.id for memory in done.memories],
    )


def _answer(done: CompanionDone) -> ChatReply:
    return ChatReply(
        conversation_id=done.conversation_id,
        message_id=done.message_id,
        response=done.text,
        responder=done.responder,
        emotion=done.emotion,
        suggested_actions=done.suggested_actions,
        memories=done.memories,
        status=done.status,
    )

"""Nodes with companions over one database, and a language model that says what the test makes it say."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from core_api.companions.affect import Affect
from core_api.companions.author import Author
from core_api.companions.chat_schema import ChatMessage, CompanionChat, CompanionDelta, CompanionDone, MessageView
from core_api.companions.chats import Chats
from core_api.companions.handlers import companion_events
from core_api.companions.language import LanguageModelUnavailable, Prompt
from core_api.companions.live import STOPS, LiveReplies
from core_api.companions.memories import Memories
from core_api.companions.memory_store_postgres import PostgresMemories
from core_api.companions.schema import CompanionFields, CompanionView
from core_api.companions.service import Companions
from core_api.companions.settings import CompanionSettings
from core_api.companions.store_postgres import PostgresCompanions
from core_api.companions.store_postgres_chats import PostgresChats
from core_api.companions.sweeper import ReplySweeper
from hub.kernel.events import Actor
from hub.kernel.ids import NodeId, new_ulid, user_room
from hub.kernel.pages import PageQuery
from hub.kernel.tasks import Tasks
from hub.transport.outages import as_hub_error
from tests.support.accounts import CountingLimiter
from tests.support.clock import FrozenClock
from tests.support.embedder import WordEmbedder
from tests.support.presence import KnownNodes
from tests.support.rooms import RecordedRooms
from tests.support.wait import until

FAST = CompanionSettings(delta_every_s=0.001, chats_burst=1_000)
END = None
"""What a puppet says at the end of a reply."""


class Puppet:
    """Implements core_api.companions.language.LanguageModel. Each call to :meth:`say` is one chunk."""

    name = "puppet"

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []
        self.closed = 0
        """Replies whose generator was closed."""
        self._script: asyncio.Queue[str | Exception | None] = asyncio.Queue()

    def say(self, *chunks: str | Exception | None) -> None:
        for chunk in chunks:
            self._script.put_nowait(chunk)

    def break_off(self) -> None:
        self.say(LanguageModelUnavailable())

    async def reply(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        self.prompts.append(prompt)
        try:
            while (chunk := await self._script.get()) is not None:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk
        finally:
            self.closed += 1

    async def close(self) -> None:
        """Nothing to give back."""


@dataclass
class CompanionNode:
    """The companions part of a node. Those with the same pool, rooms and clock are nodes of one hub."""

    pool: asyncpg.Pool
    rooms: RecordedRooms = field(default_factory=RecordedRooms)
    clock: FrozenClock = field(default_factory=FrozenClock)
    settings: CompanionSettings = FAST
    model: Puppet = field(default_factory=Puppet)
    limiter: CountingLimiter = field(default_factory=CountingLimiter)

    def __post_init__(self) -> None:
        self.tasks = Tasks()
        self.nodes = KnownNodes(NodeId(new_ulid()))
        self.store, self.chat_store = PostgresCompanions(self.pool), PostgresChats(self.pool)
        embedder = WordEmbedder()
        self.memories = Memories(PostgresMemories(self.pool), embedder, self.tasks, self.clock, self.settings.memory)
        author = Author(self.chat_store, self.memories, Affect(embedder), self.model, self.settings)
        self.replies = LiveReplies(
            self.chat_store,
            author,
            self.rooms,
            self.clock,
            self.settings,
            self.nodes.node_id,
            explain=as_hub_error,
        )
        self.sweeper = ReplySweeper(self.chat_store, self.replies, self.rooms, self.nodes, self.clock, self.settings)
        self.companions = Companions(self.store, self.chat_store, self.memories, self.clock, self.settings)
        self.chats = Chats(self.store, self.chat_store, self.replies, self.limiter, self.settings)
        self.router = companion_events(self.chats)
        self.rooms.listeners.setdefault(STOPS, []).append(self.replies.heard)

    async def close(self) -> None:
        await self.replies.close()
        await self.tasks.close()

    async def die(self) -> None:
        """End as a killed node does: nothing more is stored or told."""
        self.rooms.listeners[STOPS].remove(self.replies.heard)
        await self.replies._tasks.close()

    async def create(self, actor: Actor, name: str = "Juno") -> CompanionView:
        return (await self.companions.create(actor, CompanionFields(name=name))).view

    async def chat(self, actor: Actor, companion_id: str, message: str, **more: Any) -> tuple[str, str]:
        """Say something as by socket, and give the ids of conversation and reply."""
        started = await self.chats.start(actor, CompanionChat(companion_id=companion_id, message=message, **more))
        return started.conversation_id, started.message_id

    async def say(self, actor: Actor, companion_id: str, message: str, *chunks: str, **more: Any) -> Any:
        """Say something as by REST; the companion answers with ``chunks``."""
        self.model.say(*chunks, END)
        return await self.chats.say(actor, companion_id, ChatMessage(message=message, **more))

    def told(self, actor: Actor, kind: type) -> list[Any]:
        """Events of one kind that the person's devices were sent, in order."""
        return [event for event in self.rooms.events_to(user_room(actor.user_id)) if isinstance(event, kind)]

    def deltas(self, actor: Actor, reply_id: str) -> list[tuple[int, str]]:
        """Number and text of each piece of a reply so far."""
        return [(event.seq, event.text) for event in self.told(actor, CompanionDelta) if event.message_id == reply_id]

    async def until_told(self, actor: Actor, reply_id: str, count: int = 1) -> None:
        """Wait until so many pieces have come."""
        await until(lambda: len(self.deltas(actor, reply_id)) == count)

    async def done(self, actor: Actor, reply_id: str) -> CompanionDone:
        """The event that ends a reply, once it has come; there is never more than one."""
        ends = await until(lambda: [end for end in self.told(actor, CompanionDone) if end.message_id == reply_id])
        (end,) = ends
        assert isinstance(end, CompanionDone)
        return end

    async def messages(self, actor: Actor, companion_id: str, conversation_id: str) -> list[MessageView]:
        """A conversation, the oldest message first."""
        page = await self.companions.messages(actor, companion_id, conversation_id, PageQuery(limit=100))
        return page.data[::-1]

"""AI companions."""

import asyncio
from dataclasses import dataclass

from core_api.companions.affect import Affect
from core_api.companions.author import Author
from core_api.companions.chats import Chats
from core_api.companions.embeddings_packaged import PackagedEmbedder
from core_api.companions.handlers import companion_events
from core_api.companions.language import LanguageModel
from core_api.companions.language_openai import OpenAiModel
from core_api.companions.language_scripted import ScriptedResponder
from core_api.companions.live import LiveReplies
from core_api.companions.memories import Memories
from core_api.companions.memory_store_postgres import PostgresMemories
from core_api.companions.routes import companions_api
from core_api.companions.service import Companions
from core_api.companions.store_postgres import PostgresCompanions
from core_api.companions.store_postgres_chats import PostgresChats
from core_api.companions.sweeper import ReplySweeper
from hub.features.core import Core, Feature
from hub.transport.outages import as_hub_error


@dataclass(kw_only=True)
class CompanionsFeature(Feature):
    """Companions and the talk with them."""

    companions: Companions
    chats: Chats


def feature(core: Core) -> CompanionsFeature:
    """Companions of people. Nothing heavy is loaded before the first message."""
    settings = core.settings.companions
    store, chat_store = PostgresCompanions(core.pool), PostgresChats(core.pool)
    embedder = PackagedEmbedder(queue=settings.memory.embed_queue)
    memories = Memories(PostgresMemories(core.pool), embedder, core.tasks, core.clock, settings.memory)
    url = settings.language.url
    model: LanguageModel = ScriptedResponder() if url is None else OpenAiModel(url, settings.language)
    author = Author(chat_store, memories, Affect(embedder), model, settings)
    replies = LiveReplies(chat_store, author, core.rooms, core.clock, settings, core.node_id, explain=as_hub_error)
    sweeper = ReplySweeper(chat_store, replies, core.rooms, core.nodes, core.clock, settings)
    service = Companions(store, chat_store, memories, core.clock, settings)
    chats = Chats(store, chat_store, replies, core.limiter, settings)

    async def start() -> None:
        core.tasks.start(sweeper.run(), name="companion replies")

    async def close() -> None:
        memories.close()
        await asyncio.to_thread(embedder.close)  # waits for the text that is being embedded

    return CompanionsFeature(
        apis=[companions_api(service, chats)],
        events=companion_events(chats),
        starts=[start],
        closes=[replies.close, model.close, close],
        companions=service,
        chats=chats,
    )

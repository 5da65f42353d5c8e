"""The REST side of companions: /ai/companions."""

from core_api.companions.chat_schema import ChatMessage, ChatReply, ConversationView, MessageView
from core_api.companions.chats import Chats
from core_api.companions.memory_schema import MemoryView
from core_api.companions.schema import CompanionChanges, CompanionFields, CompanionView, TemplateList
from core_api.companions.service import Companions, Versioned
from core_api.companions.templates import TEMPLATES
from hub.kernel.events import Actor
from hub.kernel.http import Reply, RestApi
from hub.kernel.pages import Page, PageQuery
from hub.kernel.wire import Uuid


def companions_api(companions: Companions, chats: Chats) -> RestApi:
    """Companions. ``templates`` is no UUID, so it cannot be taken for one."""
    api = RestApi("companions")
    _add_companions(api, companions)
    _add_talk(api, companions, chats)
    return api


def _add_companions(api: RestApi, companions: Companions) -> None:
    async def list_companion_templates() -> Reply[TemplateList]:
        """List companions to start from."""
        return Reply(TemplateList(data=TEMPLATES))

    async def create_companion(body: CompanionFields, actor: Actor) -> Reply[CompanionView]:
        """Make a companion."""
        created = await companions.create(actor, body)
        return Reply(created.view, version=created.version, location=f"/ai/companions/{created.view.id}")

    async def list_companions(query: PageQuery, actor: Actor) -> Page[CompanionView]:
        """List one's companions, the newest first."""
        return await companions.list(actor, query)

    async def get_companion(companion_id: Uuid, actor: Actor) -> Reply[CompanionView]:
        """Get one of one's companions."""
        return _reply(await companions.get(actor, companion_id))

    async def replace_companion(
        companion_id: Uuid, body: CompanionFields, actor: Actor, if_match: int | None
    ) -> Reply[CompanionView]:
        """Replace everything one gave of a companion."""
        return _reply(await companions.replace(actor, companion_id, body, if_match))

    async def change_companion(
        companion_id: Uuid, body: CompanionChanges, actor: Actor, if_match: int | None
    ) -> Reply[CompanionView]:
        """Change fields of a companion."""
        return _reply(await companions.change(actor, companion_id, body, if_match))

    async def delete_companion(companion_id: Uuid, actor: Actor, if_match: int | None) -> None:
        """Delete a companion, with its conversations and memories."""
        await companions.delete(actor, companion_id, if_match)

    api.get("/ai/companions/templates", list_companion_templates)
    api.post("/ai/companions", create_companion)
    api.get("/ai/companions", list_companions)
    api.get("/ai/companions/{companionId}", get_companion)
    api.put("/ai/companions/{companionId}", replace_companion)
    api.patch("/ai/companions/{companionId}", change_companion)
    api.delete("/ai/companions/{companionId}", delete_companion)


def _add_talk(api: RestApi, companions: Companions, chats: Chats) -> None:
    async def chat_with_companion(companion_id: Uuid, body: ChatMessage, actor: Actor) -> ChatReply:
        """Say something and wait for the whole reply; it streams to one's sockets meanwhile."""
        return await chats.say(actor, companion_id, body)

    async def list_conversations(companion_id: Uuid, query: PageQuery, actor: Actor) -> Page[ConversationView]:
        """List conversations with a companion, the newest first."""
        return await companions.conversations(actor, companion_id, query)

    async def list_messages_of_conversation(
        companion_id: Uuid, conversation_id: Uuid, query: PageQuery, actor: Actor
    ) -> Page[MessageView]:
        """List messages of a conversation, the latest first."""
        return await companions.messages(actor, companion_id, conversation_id, query)

    async def list_memories(companion_id: Uuid, query: PageQuery, actor: Actor) -> Page[MemoryView]:
        """List what a companion remembers, the newest first."""
        return await companions.memories(actor, companion_id, query)

    async def forget_memory(companion_id: Uuid, memory_id: Uuid, actor: Actor) -> None:
        """Make a companion forget something."""
        await companions.forget(actor, companion_id, memory_id)

    api.post("/ai/companions/{companionId}/chat", chat_with_companion, status=200, limit=chats.limit)
    api.get("/ai/companions/{companionId}/conversations", list_conversations)
    api.get("/ai/companions/{companionId}/conversations/{conversationId}/messages", list_messages_of_conversation)
    api.get("/ai/companions/{companionId}/memories", list_memories)
    api.delete("/ai/companions/{companionId}/memories/{memoryId}", forget_memory)


def _reply(companion: Versioned) -> Reply[CompanionView]:
    return Reply(companion.view, version=companion.version)

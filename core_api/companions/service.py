"""Companions as they are made, listed, changed and deleted; their conversations and memories as they are read."""

import secrets
from dataclasses import dataclass

from core_api.companions.chat_schema import ConversationView, MessageView
from core_api.companions.memories import Memories
from core_api.companions.memory_schema import MemoryView
from core_api.companions.model import Companion, Conversation, Message, as_changes, changed, new_companion
from core_api.companions.schema import CompanionChanges, CompanionFields, CompanionView, Number
from core_api.companions.settings import CompanionSettings
from core_api.companions.store import ChatStore, CompanionStore
from hub.kernel.clock import Clock
from hub.kernel.errors import Conflict, NotFound, PreconditionFailed
from hub.kernel.events import Actor
from hub.kernel.ids import new_uuid
from hub.kernel.pages import Page, PageQuery, decode_cursor, page

MAX_TRIES = 5
"""Times that a change without If-Match starts anew because another one came first."""
SEED_BITS = 32


@dataclass(frozen=True, slots=True)
class Versioned:
    """A companion's view, and the version that it shows."""

    view: CompanionView
    version: int


class Companions:
    """The use cases under /ai/companions, chats apart. Somebody else's companion is NotFound everywhere."""

    def __init__(
        self,
        store: CompanionStore,
        chats: ChatStore,
        memories: Memories,
        clock: Clock,
        settings: CompanionSettings,
    ) -> None:
        self._store = store
        self._chats = chats
        self._memories = memories
        self._clock = clock
        self._settings = settings

    async def create(self, actor: Actor, fields: CompanionFields) -> Versioned:
        """Make a companion. Raises Conflict for one more than the owner may have."""
        seed = secrets.randbits(SEED_BITS)
        companion = new_companion(new_uuid(), actor.user_id, fields, seed, self._clock.now())
        if not await self._store.add(companion, at_most=self._settings.per_user):
            raise Conflict(f"You have {self._settings.per_user} companions, which is the limit. Delete one first.")
        return _versioned(companion)

    async def list(self, actor: Actor, query: PageQuery) -> Page[CompanionView]:
        """The actor's companions, the newest first."""
        found = await self._store.companions(actor.user_id, _before(query), query.limit + 1)
        return page(found, query.limit, _view, lambda companion: (companion.number,))

    async def get(self, actor: Actor, companion_id: str) -> Versioned:
        """A companion. Raises NotFound."""
        return _versioned(await self._own(actor, companion_id))

    async def replace(self, actor: Actor, companion_id: str, fields: CompanionFields, version: int | None) -> Versioned:
        """Replace everything that its owner gave. Raises as :meth:`change`."""
        return await self.change(actor, companion_id, as_changes(fields), version)

    async def change(
        self, actor: Actor, companion_id: str, changes: CompanionChanges, version: int | None
    ) -> Versioned:
        """Change a companion, if it is still at ``version`` (``None``: whatever it is at).

        Raises NotFound, PreconditionFailed.
        """
        for _ in range(MAX_TRIES):
            before = await self._at(actor, companion_id, version)
            after = changed(before, changes, self._clock.now())
            if await self._store.replace(after):
                return _versioned(after)
        raise Conflict("The companion is being changed by others. Try again.", retry_after=1)

    async def delete(self, actor: Actor, companion_id: str, version: int | None) -> None:
        """Delete a companion with all that was said and all it remembers. Raises as :meth:`change`.

        A reply that it is about to give ends within seconds, without ``companion:done``.
        """
        for _ in range(MAX_TRIES):
            companion = await self._at(actor, companion_id, version)
            if await self._store.delete(actor.user_id, companion_id, companion.version):
                return
        raise Conflict("The companion is being changed by others. Try again.", retry_after=1)

    async def conversations(self, actor: Actor, companion_id: str, query: PageQuery) -> Page[ConversationView]:
        """Conversations, the newest first. Raises NotFound."""
        await self._own(actor, companion_id)
        found = await self._chats.conversations(companion_id, _before(query), query.limit + 1)
        return page(found, query.limit, _conversation_view, lambda conversation: (conversation.number,))

    async def messages(
        self, actor: Actor, companion_id: str, conversation_id: str, query: PageQuery
    ) -> Page[MessageView]:
        """Messages of a conversation, the latest first. Raises NotFound."""
        await self._own(actor, companion_id)
        if await self._chats.conversation(companion_id, conversation_id) is None:
            raise NotFound
        found = await self._chats.messages(conversation_id, _before(query), query.limit + 1)
        return page(found, query.limit, _message_view, lambda message: (message.seq,))

    async def memories(self, actor: Actor, companion_id: str, query: PageQuery) -> Page[MemoryView]:
        """What the companion remembers, the newest first. Raises NotFound."""
        await self._own(actor, companion_id)
        return await self._memories.page(companion_id, query)

    async def forget(self, actor: Actor, companion_id: str, memory_id: str) -> None:
        """Make the companion forget something. Raises NotFound."""
        await self._own(actor, companion_id)
        await self._memories.forget(companion_id, memory_id)

    async def _at(self, actor: Actor, companion_id: str, version: int | None) -> Companion:
        companion = await self._own(actor, companion_id)
        if version not in (None, companion.version):
            raise PreconditionFailed
        return companion

    async def _own(self, actor: Actor, companion_id: str) -> Companion:
        companion = await self._store.companion(actor.user_id, companion_id)
        if companion is None:
            raise NotFound
        return companion


def _before(query: PageQuery) -> int | None:
    return None if query.cursor is None else decode_cursor(query.cursor, tuple[Number])[0]


def _versioned(companion: Companion) -> Versioned:
    return Versioned(_view(companion), companion.version)


def _view(companion: Companion) -> CompanionView:
    personality = companion.personality
    return CompanionView(
        id=companion.id,
        name=companion.name,
        personality_traits=personality.traits,
        tone=list(personality.tone),
        quirks=list(personality.quirks),
        avatar_style=companion.avatar_style,
        voice_id=companion.voice_id,
        interests=companion.interests,
        created_at=companion.created_at,
        updated_at=companion.updated_at,
    )


def _conversation_view(conversation: Conversation) -> ConversationView:
    return ConversationView(
        id=conversation.id,
        companion_id=conversation.companion_id,
        title=conversation.title,
        message_count=conversation.last_seq,
        created_at=conversation.created_at,
        updated_at=conversation.updated_at,
    )


def _message_view(message: Message) -> MessageView:
    return MessageView(**{name: getattr(message, name) for name in MessageView.__struct_fields__})

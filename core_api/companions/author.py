"""Writes one reply: recalls, remembers, asks the language model, and says what feeling is in the text."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from core_api.companions.affect import Affect, Emotion
from core_api.companions.language import LanguageModel
from core_api.companions.memories import Memories
from core_api.companions.memory_schema import Recalled
from core_api.companions.model import Companion
from core_api.companions.prompt import build_prompt
from core_api.companions.settings import CompanionSettings
from core_api.companions.store import ChatStore
from hub.kernel.errors import Overloaded

log = logging.getLogger(__name__)

HISTORY_MESSAGES = 40
"""Read for a prompt at most; most of them are too much for it already."""


@dataclass(slots=True)
class Draft:
    """A reply to be written."""

    companion: Companion
    conversation_id: str
    message_id: str
    """Of the owner's message."""
    text: str
    """What the owner said."""
    seq: int
    """Of the reply; the message has the one before."""
    memories: list[Recalled] = field(default_factory=list)
    """What was recalled for it: filled before the first chunk."""


class Author:
    """Composes the mind of a companion. It knows neither who listens nor how a reply is kept."""

    def __init__(
        self, chats: ChatStore, memories: Memories, affect: Affect, model: LanguageModel, settings: CompanionSettings
    ) -> None:
        self._chats = chats
        self._memories = memories
        self._affect = affect
        self._model = model
        self._settings = settings

    @property
    def name(self) -> str:
        """What writes the words: the ``responder`` of every reply."""
        return self._model.name

    async def write(self, draft: Draft) -> AsyncGenerator[str, None]:
        """The reply in chunks. Raises LanguageModelUnavailable, and what the stores raise."""
        companion = draft.companion
        draft.memories = await self._memories.recall(companion.id, draft.text, self._settings.memories_recalled)
        # After recalling, or the companion would be reminded of what it was told a moment ago. Before generating, which
        # takes seconds in which a node can die.
        await self._memories.remember(companion.id, draft.message_id, draft.text)
        earlier = await self._chats.messages(draft.conversation_id, draft.seq - 1, HISTORY_MESSAGES)
        prompt = build_prompt(
            companion, earlier, draft.text, draft.memories, history_characters=self._settings.history_characters
        )
        async with aclosing(self._model.reply(prompt)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def feel(self, text: str) -> Emotion | None:
        """The feeling in a reply, ``None`` if it cannot be told: a reply without one is still a reply."""
        try:
            return await self._affect.of(text) if text else None
        except Overloaded:
            return None
        except Exception:
            log.exception("no emotion for a reply")
            return None

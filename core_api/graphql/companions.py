"""Companions and what they answer."""

from datetime import datetime
from typing import Self

import msgspec
import strawberry

from core_api.companions.chat_schema import ChatReply
from core_api.companions.schema import CompanionView


@strawberry.type
class Personality:
    """The Big Five, each from 0 to 1, and how they show."""

    openness: float
    conscientiousness: float
    extraversion: float
    agreeableness: float
    neuroticism: float
    tone: list[str]
    quirks: list[str]


@strawberry.type
class AICompanion:
    """One of the viewer's AI companions."""

    id: strawberry.ID
    name: str
    personality: Personality
    avatar_style: str | None
    voice_id: str | None
    interests: list[str]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, view: CompanionView) -> Self:
        """From the wire of REST."""
        traits = msgspec.structs.asdict(view.personality_traits)
        return cls(
            id=strawberry.ID(view.id),
            name=view.name,
            personality=Personality(**traits, tone=view.tone, quirks=view.quirks),
            avatar_style=view.avatar_style,
            voice_id=view.voice_id,
            interests=view.interests,
            created_at=view.created_at,
            updated_at=view.updated_at,
        )


@strawberry.type
class SuggestedAction:
    """Something that one could do next; `label` is for a button."""

    kind: str
    label: str


@strawberry.type
class Emotion:
    """The feeling in a text; `sentiment` is from -1, bad, to 1, good."""

    sentiment: float
    label: str
    intensity: float


@strawberry.type
class Memory:
    """Something that a companion remembered for its answer: a sentence that its owner said."""

    id: strawberry.ID
    text: str
    score: float = strawberry.field(description="From 0 to 1, comparable among the memories of one answer.")
    created_at: datetime


@strawberry.type
class AIResponse:
    """What a companion answered, what wrote it, and which memories it used."""

    conversation_id: strawberry.ID
    message_id: strawberry.ID
    response: str
    responder: str = strawberry.field(description="What wrote it: `scripted`, or the name of a language model.")
    emotion: Emotion | None
    suggested_actions: list[SuggestedAction]
    memories: list[Memory]

    @classmethod
    def of(cls, reply: ChatReply) -> Self:
        """From the wire of REST."""
        return cls(
            conversation_id=strawberry.ID(reply.conversation_id),
            message_id=strawberry.ID(reply.message_id),
            response=reply.response,
            responder=reply.responder,
            emotion=None if reply.emotion is None else Emotion(**msgspec.structs.asdict(reply.emotion)),
            suggested_actions=[SuggestedAction(**msgspec.structs.asdict(action)) for action in reply.suggested_actions],
            memories=[Memory(**msgspec.structs.asdict(memory)) for memory in reply.memories],
        )


@strawberry.type
class TypingIndicator:
    """A companion begins or ends a reply."""

    companion_id: strawberry.ID
    conversation_id: strawberry.ID
    typing: bool

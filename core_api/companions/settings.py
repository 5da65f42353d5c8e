"""What an operator may set of companions."""

from typing import Annotated

import msgspec
from msgspec import Meta

from core_api.companions.language_settings import LanguageSettings
from core_api.companions.memory_settings import MemorySettings

Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]


class CompanionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits and intervals of companions and chats."""

    per_user: Positive = 20
    """Companions that one person may have."""
    chats_per_minute: Positive = 20
    """Messages of one person to all their companions, in the long run."""
    chats_burst: Positive = 10
    """Messages that may come at once before that counts."""
    replies_at_once: Positive = 64
    """Replies that one node writes at a time; more are refused as ``overloaded``."""
    replies_per_person: Positive = 4
    """Of these for one person: behind a slow language model, a few people would have all of them otherwise."""
    reply_s: Seconds = 150.0
    """Longest that a reply may take, recall included. Above the language model's own limit, which says more."""
    store_s: Seconds = 15.0
    """Longest that a node tries to store a reply past that, before others may declare it dead."""
    delta_every_s: Seconds = 0.03
    """Shortest time between two deltas of a reply: 100 tokens a second need no 100 publications, and 33 look fluent."""
    history_characters: Positive = 6_000
    """Of earlier turns in a prompt: some 1 500 tokens, so that it fits small models with 4 096."""
    memories_recalled: Positive = 5
    """Memories in a prompt."""
    sweep_every_s: Seconds = 2.0
    """How often a node looks for replies of dead nodes, and for stops of its own that Redis lost."""
    language: LanguageSettings = LanguageSettings()
    memory: MemorySettings = MemorySettings()

"""Settings of memories and embeddings."""

from typing import Annotated

import msgspec
from msgspec import Meta

Positive = Annotated[int, Meta(ge=1)]


class MemorySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may choose."""

    capacity: Positive = 10_000
    """Memories of one companion: years of talking. Past it, the least important go, the oldest of them first."""
    hot_bytes: Positive = 64 << 20
    """Embeddings a node keeps in memory: three companions at full capacity, thousands of usual ones."""
    embed_queue: Positive = 64
    """Requests that may wait for the embedding thread: about a second of work. More are refused."""

"""Companions with memories on a real PostgreSQL."""

import struct
from collections.abc import Sequence

import asyncpg

from core_api.companions.memory_store import NewMemory, Vector
from hub.kernel.ids import new_uuid

INSERT = """
INSERT INTO companion (id, owner_id, name, traits, seed, interests, created_at, updated_at)
VALUES ($1, $2, 'Lumen', '{}', 1, '{}', now(), now())
"""


async def new_companion(pool: asyncpg.Pool) -> str:
    """The id of a new companion."""
    companion_id = new_uuid()
    await pool.execute(INSERT, companion_id, new_uuid())
    return companion_id


def vector(*values: float, model_id: str = "words 1") -> Vector:
    """A stored vector."""
    return Vector(model_id, len(values), struct.pack(f"<{len(values)}f", *values))


def memory(
    text: str = "I like tea.",
    values: Sequence[float] = (1.0, 0.0),
    *,
    importance: float = 0.3,
    replaces: int | None = None,
    model_id: str = "words 1",
) -> NewMemory:
    """A statement about to be stored."""
    return NewMemory(new_uuid(), text, vector(*values, model_id=model_id), importance, replaces)

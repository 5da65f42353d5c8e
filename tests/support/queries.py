"""What a piece of code asks of the database."""

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

Since = Callable[[], list[str]]
"""The statements since it was asked last."""


def recorded(monkeypatch: pytest.MonkeyPatch, *, if_: Callable[[], bool] = lambda: True) -> Since:
    """Record what goes through pools from now on, where ``if_`` holds."""
    seen: list[str] = []

    def recording(method: Any) -> Any:
        async def record(pool: asyncpg.Pool, query: str, *arguments: Any, **options: Any) -> Any:
            if if_():
                seen.append(query)
            return await method(pool, query, *arguments, **options)

        return record

    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        monkeypatch.setattr(asyncpg.pool.Pool, name, recording(getattr(asyncpg.pool.Pool, name)))

    def since() -> list[str]:
        found = seen.copy()
        seen.clear()
        return found

    return since

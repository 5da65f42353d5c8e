"""Waiting for a condition with a deadline, so that no test sleeps for a guessed time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

POLL_S = 0.01


@overload
async def until(condition: Callable[[], Awaitable[T]], timeout_s: float = 10.0) -> T: ...
@overload
async def until(condition: Callable[[], T], timeout_s: float = 10.0) -> T: ...
async def until(condition: Callable[[], Any], timeout_s: float = 10.0) -> Any:
    """Call `condition` (a plain or an async function) until its result is true, and give that result.

    Raises AssertionError, naming the condition and its last result, after `timeout_s`.
    """
    end = time.monotonic() + timeout_s
    while True:
        result = condition()
        value = await result if inspect.isawaitable(result) else result
        if value:
            return value
        if time.monotonic() > end:
            raise _not_met(condition, value, timeout_s)
        await asyncio.sleep(POLL_S)


def until_sync(condition: Callable[[], T], timeout_s: float = 10.0) -> T:
    """`until` for tests without an event loop."""
    end = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > end:
            raise _not_met(condition, value, timeout_s)
        time.sleep(POLL_S)
    return value


def _not_met(condition: Callable[..., object], value: object, timeout_s: float) -> AssertionError:
    code = getattr(condition, "__code__", None)
    where = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
    return AssertionError(f"not true within {timeout_s:g} s{where}; last result: {value!r}")

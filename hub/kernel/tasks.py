"""Background tasks with an owner: shutdown awaits them, and a crash is logged instead of vanishing."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

log = logging.getLogger(__name__)

CANCEL_AGAIN_S = 0.2
"""redis-py swallows a cancellation that meets it in the middle of a pipeline (seen with 8.1): so it is repeated."""


class Running(Protocol):
    """A background task, as its owner sees it: something that can be stopped, and need not be awaited."""

    def cancel(self) -> object:
        """Stop it. Harmless if it has ended."""
        ...


class Tasks:
    """A set of background tasks that end together."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> Running:
        """Run ``coroutine`` until it ends or until :meth:`close`. An exception is logged under ``name``."""
        # The loop holds tasks weakly: without this set one could be collected in the middle of its work.
        return self.adopt(asyncio.get_running_loop().create_task(coroutine), name=name)

    def adopt(
        self, task: asyncio.Task[Any], *, name: str, ended: Callable[[asyncio.Task[Any]], None] | None = None
    ) -> Running:
        """Own a task that runs already, as :meth:`start` owns those that it makes.

        ``ended`` is called when it has ended, and has then to look at its exception.
        """
        task.set_name(name)
        self._tasks.add(task)
        task.add_done_callback(self._ended if ended is None else self._tasks.discard)
        if ended is not None:
            task.add_done_callback(ended)
        return task

    async def close(self) -> None:
        """Cancel what still runs and wait for it. Safe to call twice."""
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            _, deaf = await asyncio.wait(tasks, timeout=CANCEL_AGAIN_S)
            for task in deaf:
                log.debug("task %s went on after it was cancelled", task.get_name())

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background task %s crashed", task.get_name(), exc_info=error)

"""hub.kernel.tasks: nothing that was started is forgotten."""

import asyncio
import logging

import pytest

from hub.kernel.tasks import Tasks
from tests.support.wait import until


async def test_close_cancels_what_runs_and_waits_for_its_end() -> None:
    tasks, ended = Tasks(), []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    tasks.start(work(), name="work")
    await asyncio.sleep(0)
    await tasks.close()
    assert ended == [True]
    await tasks.close()


async def test_a_task_that_swallows_one_cancellation_is_cancelled_again() -> None:
    tasks, swallowed = Tasks(), []

    async def deaf() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.append(True)
        await asyncio.Event().wait()

    tasks.start(deaf(), name="deaf")
    await asyncio.sleep(0)
    await asyncio.wait_for(tasks.close(), 2)
    assert swallowed == [True]


async def test_a_crash_is_logged_under_the_tasks_name(caplog: pytest.LogCaptureFixture) -> None:
    async def crash() -> None:
        raise LookupError("gone")

    Tasks().start(crash(), name="the sweeper")
    await until(lambda: caplog.records)
    assert caplog.records[0].levelno == logging.ERROR
    assert "the sweeper" in caplog.text
    assert "gone" in caplog.text


async def test_one_task_can_be_stopped_alone_and_leaves_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    tasks, going_on = Tasks(), asyncio.Event()

    async def other() -> None:
        await going_on.wait()

    stopped = tasks.start(asyncio.Event().wait(), name="stopped")
    running = tasks.start(other(), name="running")
    stopped.cancel()
    stopped.cancel()
    await asyncio.sleep(0)
    going_on.set()
    await until(lambda: isinstance(running, asyncio.Task) and running.done() and not running.cancelled())
    assert caplog.records == []

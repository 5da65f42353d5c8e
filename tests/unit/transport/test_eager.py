"""Tasks that take their first step at once, where that can be, and are real tasks everywhere."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, cast

import pytest

from hub.transport.eager import HubLoop, spawner
from tests.support.wait import until

WHO: ContextVar[str] = ContextVar("who", default="nobody")

nests = pytest.mark.skipif(sys.version_info >= (3, 12), reason="asyncio starts tasks eagerly by itself")


def on_a_hub_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=HubLoop) as runner:
        runner.run(main())


async def outside_any_task(function: Callable[[], Any]) -> Any:
    """What a function returns that the loop calls, as it calls a protocol's `data_received`."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    loop.call_soon(lambda: done.set_result(function()))
    return await done


def test_outside_any_task_the_first_step_has_run_when_it_is_started() -> None:
    log: list[str] = []

    async def work() -> str:
        log.append("first step")
        await asyncio.sleep(0)
        log.append("second step")
        return "result"

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def begin() -> asyncio.Task[str]:
            task = spawner(loop)(work())
            assert log == ["first step"]
            return task

        assert await (await outside_any_task(begin)) == "result"
        assert log == ["first step", "second step"]

    on_a_hub_loop(main)


def test_what_never_waits_is_done_when_it_is_started() -> None:
    async def work() -> int:
        return 7

    async def main() -> None:
        task = await outside_any_task(lambda: spawner(asyncio.get_running_loop())(work()))
        assert task.done()
        assert task.result() == 7

    on_a_hub_loop(main)


def test_many_can_be_started_one_after_the_other_and_what_each_schedules_still_comes() -> None:
    log: list[str] = []

    async def work(name: str) -> None:
        asyncio.get_running_loop().call_soon(log.append, f"scheduled by {name}")
        log.append(name)

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def begin() -> None:
            for name in "ab":
                assert spawner(loop)(work(name)).done()

        await outside_any_task(begin)
        await asyncio.sleep(0)
        assert log == ["a", "b", "scheduled by a", "scheduled by b"]

    on_a_hub_loop(main)


@nests
def test_within_a_task_it_waits_for_the_next_turn_since_tasks_do_not_nest() -> None:
    log: list[str] = []

    async def work() -> None:
        log.append("first step")

    async def main() -> None:
        task = spawner(asyncio.get_running_loop())(work())
        assert log == []
        await task
        assert log == ["first step"]

    on_a_hub_loop(main)


@nests
def test_a_task_that_starts_another_in_its_eager_first_step_is_not_nested_either() -> None:
    log: list[str] = []

    async def inner() -> None:
        log.append("inner")

    async def outer() -> None:
        task = spawner(asyncio.get_running_loop())(inner())
        log.append("outer")
        await task

    async def main() -> None:
        await (await outside_any_task(lambda: spawner(asyncio.get_running_loop())(outer())))
        assert log == ["outer", "inner"]

    on_a_hub_loop(main)


def test_it_runs_on_any_other_loop_too() -> None:
    async def work() -> int:
        return 7

    async def main() -> None:
        task = await outside_any_task(lambda: spawner(asyncio.get_running_loop())(work()))
        assert await task == 7

    with asyncio.Runner() as runner:
        runner.run(main())


def test_an_exception_in_the_first_step_is_the_tasks_and_not_the_callers() -> None:
    async def work() -> None:
        raise RuntimeError("broken")

    async def main() -> None:
        task = await outside_any_task(lambda: spawner(asyncio.get_running_loop())(work()))
        assert task.done()
        with pytest.raises(RuntimeError, match="broken"):
            task.result()

    on_a_hub_loop(main)


def test_after_what_cannot_be_started_the_loop_schedules_as_before() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def begin() -> None:
            with pytest.raises(TypeError):
                _ = spawner(loop)(cast("Any", "no coroutine"))

        await outside_any_task(begin)
        assert await outside_any_task(lambda: "still called") == "still called"

    on_a_hub_loop(main)


def test_timeouts_and_cancellation_work_from_the_first_step_on() -> None:
    log: list[str] = []

    async def patient() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        log.append("timed out")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    async def main() -> None:
        task = await outside_any_task(lambda: spawner(asyncio.get_running_loop())(patient()))
        await until(lambda: log == ["timed out"])
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert log == ["timed out", "cancelled"]

    on_a_hub_loop(main)


def test_the_first_step_knows_which_task_it_is_in_and_keeps_its_context_to_itself() -> None:
    seen: list[Any] = []

    async def work() -> None:
        WHO.set("the task")
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(WHO.get())

    async def main() -> None:
        def begin() -> asyncio.Task[None]:
            task = spawner(asyncio.get_running_loop())(work())
            assert asyncio.current_task() is None
            assert WHO.get() == "nobody"
            return task

        task = await outside_any_task(begin)
        await task
        assert seen == [task, "the task"]

    on_a_hub_loop(main)

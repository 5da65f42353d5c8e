"""core_api.companions.streaming: in order, in few pieces, ended when asked."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from core_api.companions.streaming import Generation, TooLong
from tests.support.wait import until

PATIENT_S = 30.0


class Listener:
    """Keeps what it is told; while ``busy`` it has not finished listening."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.free = asyncio.Event()
        self.free.set()

    async def tell(self, text: str) -> None:
        self.pieces.append(text)
        await self.free.wait()


class Source:
    """Chunks by hand, and whether the generator was closed."""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        self.closed = False

    def put(self, *chunks: str | Exception | None) -> None:
        for chunk in chunks:
            self._chunks.put_nowait(chunk)

    async def chunks(self) -> AsyncGenerator[str, None]:
        try:
            while (chunk := await self._chunks.get()) is not None:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk
        finally:
            self.closed = True


def generation(*, limit_s: float = PATIENT_S, tell_every_s: float = 0.0) -> Generation:
    return Generation(limit_s=limit_s, tell_every_s=tell_every_s)


async def test_everything_is_told_once_in_order_and_the_first_chunk_at_once() -> None:
    source, listener, running = Source(), Listener(), generation()
    async with asyncio.TaskGroup() as group:
        group.create_task(running.run(source.chunks(), listener.tell))
        source.put("Hel")
        await until(lambda: listener.pieces == ["Hel"])
        source.put("lo", ", ", "you", None)
    assert "".join(listener.pieces) == running.text == "Hello, you"
    assert source.closed


async def test_many_chunks_are_few_pieces() -> None:
    source, listener = Source(), Listener()
    running = generation(tell_every_s=PATIENT_S / 10)  # nobody waits for it: at the end the rest is told
    source.put(*["word "] * 100, None)
    await running.run(source.chunks(), listener.tell)
    assert len(listener.pieces) <= 2
    assert "".join(listener.pieces) == "word " * 100


async def test_reading_does_not_wait_for_a_slow_listener() -> None:
    source, listener, running = Source(), Listener(), generation()
    listener.free.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(running.run(source.chunks(), listener.tell))
        source.put("a")
        await until(lambda: listener.pieces)
        source.put("b", "c", None)
        await until(lambda: source.closed)
        assert running.text == "abc"
        listener.free.set()
    assert listener.pieces == ["a", "bc"]


async def test_a_stop_ends_it_while_it_waits_for_a_chunk_and_closes_the_source() -> None:
    source, listener, running = Source(), Listener(), generation()
    async with asyncio.TaskGroup() as group:
        group.create_task(running.run(source.chunks(), listener.tell))
        source.put("so far")
        await until(lambda: running.text)
        running.stop("cancelled")
        running.stop("failed")  # the first one counts
    assert (running.stopped, running.text, listener.pieces) == ("cancelled", "so far", ["so far"])
    assert source.closed


async def test_a_stop_before_the_beginning_reads_nothing() -> None:
    source, listener, running = Source(), Listener(), generation()
    source.put("never", None)
    running.stop("cancelled")
    await running.run(source.chunks(), listener.tell)
    assert (running.text, listener.pieces) == ("", [])


async def test_a_stop_after_the_end_changes_nothing() -> None:
    source, listener, running = Source(), Listener(), generation()
    source.put("all", None)
    await running.run(source.chunks(), listener.tell)
    running.stop("cancelled")
    assert running.stopped is None


async def test_a_stop_while_the_source_closes_is_harmless() -> None:
    source, listener, running = Source(), Listener(), generation()

    async def slow_to_close() -> AsyncGenerator[str, None]:
        try:
            async for chunk in source.chunks():
                yield chunk
        finally:
            running.stop("cancelled")
            await asyncio.Event().wait()  # until the stop

    source.put("all", None)
    await running.run(slow_to_close(), listener.tell)
    assert (running.stopped, running.text) == ("cancelled", "all")


async def test_a_failure_is_raised_after_what_came_before_it_was_told() -> None:
    source, listener, running = Source(), Listener(), generation()
    source.put("half", ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        await running.run(source.chunks(), listener.tell)
    assert (running.text, listener.pieces) == ("half", ["half"])


async def test_it_ends_at_its_limit() -> None:
    source, listener, running = Source(), Listener(), generation(limit_s=0.05)
    source.put("half")
    with pytest.raises(TooLong):
        await running.run(source.chunks(), listener.tell)
    assert (running.stopped, listener.pieces) == (None, ["half"])
    assert source.closed


async def test_a_timeout_of_the_source_is_not_taken_for_the_limit() -> None:
    source, listener, running = Source(), Listener(), generation()
    source.put(TimeoutError("the database did not answer"))
    with pytest.raises(TimeoutError, match="the database"):
        await running.run(source.chunks(), listener.tell)


async def test_a_source_that_fails_while_it_is_stopped_is_stopped() -> None:
    source, listener, running = Source(), Listener(), generation()

    async def fails_to_close() -> AsyncGenerator[str, None]:
        try:
            async for chunk in source.chunks():
                yield chunk
        finally:
            raise ConnectionError("already closed")

    async with asyncio.TaskGroup() as group:
        group.create_task(running.run(fails_to_close(), listener.tell))
        source.put("so far")
        await until(lambda: listener.pieces)
        running.stop("cancelled")
    assert (running.stopped, running.text) == ("cancelled", "so far")


async def test_stopping_at_the_moment_of_the_limit_is_harmless() -> None:
    source, listener, running = Source(), Listener(), generation(limit_s=0.0)

    async def stubborn() -> AsyncGenerator[str, None]:
        try:
            async for chunk in source.chunks():
                yield chunk
        except asyncio.CancelledError:
            running.stop("cancelled")
            raise

    await running.run(stubborn(), listener.tell)
    assert running.stopped == "cancelled"

"""The demo from beginning to end: a hub, two people, the chapters, a verdict."""

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from functools import partial

import aiohttp

from hub.demo import chapters
from hub.demo.api import Api
from hub.demo.call import call
from hub.demo.companion import companion
from hub.demo.document import Pace, document
from hub.demo.errors import ANSWER_S, DemoError
from hub.demo.mint import mint
from hub.demo.own_hub import own_hub
from hub.demo.person import Person
from hub.demo.timeline import Timeline

WHOLE_S = 90.0
"""For everything but the start of a hub and the pauses that were asked for."""


async def run(url: str | None, second_url: str | None, *, pace: Pace, environment: Mapping[str, str]) -> int:
    """Show the hub at ``url``, or one of our own, started with ``environment``. Gives the exit code: 0 only if
    everything was observed, else 1.

    With ``second_url`` the second person uses that address of the same hub. Call from the main thread: a hub of our
    own is tied to it. SIGTERM cancels it, so that such a hub is cleared away.
    """
    if (task := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    timeline = Timeline(lambda line: print(line, flush=True))
    timeout = aiohttp.ClientTimeout(ANSWER_S)
    try:
        async with contextlib.AsyncExitStack() as held:
            session = await held.enter_async_context(aiohttp.ClientSession(timeout=timeout))
            if url is None:
                timeline.does("", "starting a hub of two nodes, for this demo alone")
                shared = await held.enter_async_context(own_hub(environment))
                url, second_url = await _nodes_of(Api(session, shared))
            async with asyncio.timeout(WHOLE_S + pace.edits * pace.pause_ms / 1000):
                await _play(Api(session, url), Api(session, second_url or url), timeline, pace)
            seconds = timeline.elapsed_s  # a hub of our own takes some more to stop
    except (DemoError, aiohttp.ClientError, TimeoutError) as error:
        reason = str(error) or "it took too long"
        timeline.end(f"FAILED: {reason}\nexit code 1")
        return 1
    timeline.end(f"All {timeline.observations} observations were made, in {seconds:.1f} s.\nexit code 0")
    return 0


async def _nodes_of(hub: Api) -> tuple[str, str]:
    first, second = sorted((await hub.nodes()).values())
    return f"http://127.0.0.1:{first}", f"http://127.0.0.1:{second}"


async def _play(first: Api, second: Api, timeline: Timeline, pace: Pace) -> None:
    ada, bob = Person("ada", first, timeline), Person("bob", second, timeline)
    for person in (ada, bob):
        person.does(f"uses {person.api.url}")
    try:
        for title, chapter in (
            ("Two people", chapters.people),
            ("Two connections", chapters.connections),
            ("Presence", chapters.presence),
            ("A room", chapters.room),
            ("A post", chapters.post),
            ("A document", partial(document, pace=pace)),
            ("A call", call),
            ("A companion", companion),
            ("A token", mint),
        ):
            timeline.chapter(title)
            await chapter(ada, bob)
    finally:
        await asyncio.gather(ada.connection.close(), bob.connection.close())

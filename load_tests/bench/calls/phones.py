"""Devices of people on running nodes: a connection each, and what came over it."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import aiohttp

from hub.kernel.tasks import Tasks
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.presence.connection import CannotConnect, Connection

HEARD_S = 10.0
"""Longest wait for an event: what has not come by then does not come."""


class Phone:
    """A device, which keeps the events of calls by call and name."""

    def __init__(self, http: aiohttp.ClientSession, tasks: Tasks, user_id: str, token: str) -> None:
        self.user_id = user_id
        self._connection = Connection(http, tasks, self)
        self._token = token
        self.refusals: dict[str, str] = {}
        """The last refusal of each call."""
        self._heard: defaultdict[tuple[str, str], list[tuple[float, dict[str, Any]]]] = defaultdict(list)
        self._news = asyncio.Event()

    async def open(self, port: int) -> None:
        """Connect. Raises CannotMeasure."""
        try:
            await self._connection.open(port, {"token": self._token})
        except CannotConnect as error:
            raise CannotMeasure(f"a device could not connect: {error}") from None

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.close()

    async def ask(self, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        """The data of the acknowledgement. Raises CannotMeasure if it is refused."""
        try:
            data: dict[str, Any] = await self._connection.call(event, payload)
        except CannotConnect as error:
            raise CannotMeasure(str(error)) from None
        return data

    async def try_to(self, event: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        """The same; ``None`` if it is refused."""
        try:
            data: dict[str, Any] = await self._connection.call(event, payload)
        except CannotConnect as error:
            self.refusals[payload["callId"]] = str(error)
            return None
        return data

    async def hears(self, event: str, call_id: str) -> float:
        """When the first such event of the call came (``time.perf_counter``). Raises CannotMeasure if none comes."""
        try:
            async with asyncio.timeout(HEARD_S):
                while not self._heard[event, call_id]:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise CannotMeasure(f"{event} of {call_id} did not come") from None
        return self._heard[event, call_id][0][0]

    def heard(self, event: str, call_id: str) -> Sequence[dict[str, Any]]:
        """What came so far."""
        return [payload for _, payload in self._heard[event, call_id]]

    def forget(self, call_id: str) -> None:
        """Forget what came of a call."""
        self.refusals.pop(call_id, None)
        for key in [key for key in self._heard if key[1] == call_id]:
            del self._heard[key]

    def received(self, event: str, payload: Any) -> None:
        """See Listener."""
        if event.startswith("call:"):
            self._heard[event, payload["callId"]].append((time.perf_counter(), payload))
            self._news.set()

    def lost(self) -> None:
        """See Listener. Whoever waits for an event says so."""

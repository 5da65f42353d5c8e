"""A socket of one person: requests with their answers, events to wait for, and coming back after a loss."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import socketio
from socketio.exceptions import BadNamespaceError, ConnectionError

from hub.demo.errors import ANSWER_S, DemoError, Missing, Refused

T = TypeVar("T")

RECONNECT_S = 20.0
"""For a client whose node was killed: on that node's own port it has to wait for the next process."""
LATER_S = 0.2
SHOWN = 300
"""Characters of an event in an error message."""


class Lost(Exception):
    """The connection ended before the answer came: what was asked may have happened, or not."""


class Connection:
    """A Socket.IO client that survives the death of its node.

    Whatever the demo asks may be repeated: the hub knows messages and calls by ids of the client's, and merges changes
    of documents. So a lost answer is asked for again.
    """

    def __init__(self, who: str, told: Callable[[str], None]) -> None:
        """``told`` gets a sentence when the connection was lost and is back."""
        self._who = who
        self._told = told
        # What a browser does by default, only sooner
        self._client = socketio.AsyncClient(
            reconnection_delay=0.1, reconnection_delay_max=1, randomization_factor=0.05, handle_sigint=False
        )
        self._client.on("session:ready", self._ready)
        self._client.on("disconnect", self._disconnected)
        self._client.on("*", self._received)
        self._answers: set[asyncio.Future[Any]] = set()
        self._steps: list[Callable[[], Awaitable[object]]] = []
        self._listeners: dict[str, Callable[[Any], None]] = {}
        self._unread: list[tuple[str, Any]] = []
        self._last = "nothing"
        self._news = asyncio.Event()
        self._failure: DemoError | None = None
        self._settled = False
        self.node_id = ""
        """The node that holds the connection now."""

    @property
    def node(self) -> str:
        """The node for a person's eye: the end of an id is what differs."""
        return self.node_id[-5:]

    async def open(self, url: str, auth: Callable[[], Awaitable[dict[str, str]]]) -> None:
        """Connect, with fresh credentials of ``auth`` now and for every return. Ends when the hub says that it is
        ready for us.
        """
        try:
            await self._client.connect(url, auth=auth, transports=["websocket"], wait_timeout=ANSWER_S)
        except ConnectionError as error:
            raise DemoError(f"{self._who} cannot connect to {url}: {error}") from error
        await self.until(lambda: self._settled, "session:ready")

    async def close(self) -> None:
        """Disconnect for good."""
        await self._client.disconnect()

    # Requests

    async def ask(self, event: str, payload: object) -> Any:
        """The ``data`` of the hub's acknowledgement. Raises Refused, or Missing if there is none."""
        while True:
            await self._come_back()
            try:
                return await self.ask_once(event, payload)
            except Lost:
                continue

    async def ask_once(self, event: str, payload: object) -> Any:
        """``ask`` on this very connection: raises Lost when it ends. For the steps of ``keep``."""
        try:
            async with asyncio.timeout(ANSWER_S):
                while True:
                    answer = await self._acknowledged(event, payload)
                    if answer["ok"]:
                        return answer["data"]
                    error = answer["error"]
                    if not error["temporary"]:
                        raise Refused(event, error)
                    self._last = f"{event} refused for now: {error['code']}"
                    await asyncio.sleep(error.get("retryAfter", LATER_S))
        except TimeoutError:
            raise Missing(self._who, f"an answer to {event}", ANSWER_S, self._last) from None

    async def keep(self, step: Callable[[], Awaitable[T]]) -> T:
        """Do ``step`` now, and again after every return: a new connection is in no room and watches nobody."""
        while True:
            await self._come_back()
            try:
                result = await step()
            except Lost:
                continue
            self._steps.append(step)
            return result

    async def _come_back(self) -> None:
        await self.until(lambda: self._settled, "the connection come back", RECONNECT_S)

    async def _acknowledged(self, event: str, payload: object) -> dict[str, Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers.add(answer)

        def acknowledged(data: Any) -> None:
            if not answer.done():
                answer.set_result(data)

        try:
            await self._client.emit(event, payload, callback=acknowledged)
            return dict(await answer)
        except BadNamespaceError:
            self._settled = False  # lost in the very moment in which the last step was done
            raise Lost from None
        finally:
            self._answers.discard(answer)

    # Events

    async def sees(
        self,
        event: str,
        having: Callable[[Any], bool] = lambda _: True,
        *,
        what: str | None = None,
        within_s: float = ANSWER_S,
    ) -> Any:
        """The payload of the next such event. Every event is seen once."""

        def found() -> list[Any]:
            for index, (name, payload) in enumerate(self._unread):
                if name == event and having(payload):
                    del self._unread[index]
                    return [payload]
            return []

        return (await self.until(found, what or event, within_s))[0]

    def listen(self, event: str, listener: Callable[[Any], None]) -> None:
        """Call ``listener`` with each such event from now on; ``sees`` will not find it."""
        self._listeners[event] = listener

    async def until(self, condition: Callable[[], T], what: str, within_s: float = ANSWER_S) -> T:
        """The first true result of ``condition``, which is tried after every event. Raises Missing."""
        try:
            async with asyncio.timeout(within_s):
                while self._failure is None:
                    if result := condition():
                        return result
                    self._news.clear()
                    await self._news.wait()
                raise self._failure
        except TimeoutError:
            raise Missing(self._who, what, within_s, self._last) from None

    def _received(self, event: str, *payload: Any) -> None:
        content = payload[0] if payload else None
        self._last = f"{event} {content}"[:SHOWN]
        if event in self._listeners:
            self._listeners[event](content)
        else:
            self._unread.append((event, content))
        self._news.set()

    async def _ready(self, session: dict[str, Any]) -> None:
        try:
            for step in self._steps:
                await step()
        except Lost:
            return  # the next connection begins anew
        except DemoError as error:
            self._failure = error
        returned, self.node_id = bool(self.node_id), session["nodeId"]
        if returned:
            self._told(f"is back, on node {self.node}")
        self._settled = True
        self._news.set()

    def _disconnected(self, reason: str) -> None:
        self._settled = False
        if reason != socketio.AsyncClient.reason.CLIENT_DISCONNECT:
            self._last = "the end of the connection"
            self._told("has lost the connection")
        for answer in self._answers:
            if not answer.done():
                answer.set_exception(Lost())

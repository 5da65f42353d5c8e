"""A link to a hub that does to its clients what a hub must never do. Clients take it for the hub.

It knows the text of Socket.IO packets (protocol 5, JSON parser), and nothing of what they mean to the hub.
"""

import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from hub.kernel.tasks import Tasks

EVENT = re.compile(r"4(?:2|51-)(\[.*)", re.DOTALL)
MESSAGE = re.compile(r'42\d+\["room:send"')
CHANGE = re.compile(r'451-(\d+)\["collab:change"')
APART_S = 0.2
"""Between two faults, so that they do not hit one message."""
RATE_LIMITED = {"code": "rate_limited", "temporary": True, "retryAfter": 0.1}


class Cut(Exception):
    """The connection is to be closed."""


@dataclass(eq=False)
class Client:
    """One WebSocket through the link. It suffers one fault, so that none hides another."""

    here: web.WebSocketResponse
    heard: set[str] = field(default_factory=set)
    """Events that have come."""
    harmed: bool = False
    held: str = ""
    """A kept message that comes after the next one of its sender."""
    speaks: bool = False
    """Whether it has sent a message itself: then it knows that it has joined, and misses what does not come."""
    deaf: bool = False
    """Whether no more presence comes."""
    forged: bool = False
    """Whether its changes are acknowledged, and never reach the hub."""
    skip_up: bool = False
    skip_down: bool = False
    """Whether the next binary frame belongs to a packet that was swallowed."""


Harm = Callable[[Client, str, str, Any], list[str] | None]
"""The frames to send in place of one, given with its event and payload; ``None`` if it is not of the kind."""


class FaultyLink:
    """Does each of its faults once, to the first client that it fits. ``left`` are those still to be done."""

    def __init__(self, hub_url: str) -> None:
        self._hub_url = hub_url
        self._harms: dict[str, Harm] = {
            "refused connect": lambda _c, frame, _e, _p: _refusal(frame),
            "lost message": lambda client, _f, _e, payload: [] if client.speaks and _is_kept(payload) else None,
            "repeated message": lambda _c, frame, _e, payload: [frame, frame] if _is_kept(payload) else None,
            "disordered messages": _hold,
            "lost acknowledgement": lambda _c, frame, _e, _p: [] if _acknowledges_message(frame) else None,
            "lost presence": _deafen,
            "lost edit": _lose_edit,
            "lost ring": lambda _c, _f, event, _p: [] if event == "call:incoming" else None,
            "cut connection": lambda _c, _f, event, _p: [] if event == "call:ended" else None,
        }
        self._next_s = 0.0
        self.left = {*self._harms, "refused sign-up", "forged acknowledgement"}

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """The address of the link."""
        app = web.Application()
        app.router.add_get("/socket.io/", self._socket)
        app.router.add_post("/{path:.*}", self._request)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        async with aiohttp.ClientSession(self._hub_url) as self._hub:
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                yield f"http://127.0.0.1:{runner.addresses[0][1]}"
            finally:
                await runner.cleanup()

    async def _request(self, request: web.Request) -> web.Response:
        if request.path.endswith("/auth/signup") and "refused sign-up" in self.left:
            self.left.discard("refused sign-up")
            return web.json_response(RATE_LIMITED, status=429, headers={"Retry-After": "1"})
        kept = {name: value for name, value in request.headers.items() if name in {"Authorization", "Content-Type"}}
        async with self._hub.post(request.path_qs, data=await request.read(), headers=kept) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        client = Client(web.WebSocketResponse(compress=False))
        await client.here.prepare(request)
        tasks = Tasks()
        async with self._hub.ws_connect(request.path_qs) as there:
            tasks.start(self._down(client, there), name="down")
            await self._up(client, there)
        await tasks.close()
        return client.here

    async def _up(self, client: Client, there: aiohttp.ClientWebSocketResponse) -> None:
        async for message in client.here:
            if message.type is aiohttp.WSMsgType.TEXT:
                await self._up_text(client, there, message.data)
            elif client.skip_up:
                client.skip_up = False
            else:
                await there.send_bytes(message.data)

    async def _up_text(self, client: Client, there: aiohttp.ClientWebSocketResponse, frame: str) -> None:
        client.speaks = client.speaks or MESSAGE.match(frame) is not None
        change = CHANGE.match(frame)
        if change and not client.harmed and "forged acknowledgement" in self.left:
            self.left.discard("forged acknowledgement")
            client.harmed = client.forged = True
        if change and client.forged:
            client.skip_up = True
            await client.here.send_str(f'43{change[1]}[{{"ok":true,"data":{{"seq":"forged"}}}}]')
        else:
            await there.send_str(frame)

    async def _down(self, client: Client, there: aiohttp.ClientWebSocketResponse) -> None:
        with contextlib.suppress(Cut, ConnectionResetError):
            async for message in there:
                if message.type is aiohttp.WSMsgType.TEXT:
                    for frame in self._faulty(client, message.data):
                        await client.here.send_str(frame)
                elif client.skip_down:
                    client.skip_down = False
                else:
                    await client.here.send_bytes(message.data)
        await client.here.close()

    def _faulty(self, client: Client, frame: str) -> list[str]:
        match = EVENT.fullmatch(frame)
        event, payload = json.loads(match[1])[:2] if match else ("", {})
        if client.deaf and event == "presence:diff":
            return []
        if client.held and _is_kept(payload) and payload["from"] == _sender(client.held):
            held, client.held = client.held, ""
            return [frame, held]
        # What comes for the first time may come while the client still joins: nobody would miss it.
        is_new = event not in client.heard
        client.heard.add(event)
        if client.harmed or (event and is_new) or time.monotonic() < self._next_s:
            return [frame]
        for name, harm in self._harms.items():
            if name in self.left:
                frames = harm(client, frame, event, payload)
                if frames is not None:
                    self.left.discard(name)
                    client.harmed = True
                    self._next_s = time.monotonic() + APART_S
                    if name == "cut connection":
                        raise Cut
                    return frames
        return [frame]


def _is_kept(payload: Any) -> bool:
    """Whether an event is a message of a room with a number."""
    return isinstance(payload, dict) and "messageId" in payload and "seq" in payload


def _sender(frame: str) -> object:
    return json.loads(frame[2:])[1]["from"]


def _refusal(frame: str) -> list[str] | None:
    refusal = {"message": "Too many requests.", "data": RATE_LIMITED}
    return [f"44{json.dumps(refusal)}"] if frame.startswith("40{") else None


def _acknowledges_message(frame: str) -> bool:
    return frame.startswith("43") and '"messageId"' in frame


def _hold(client: Client, frame: str, _event: str, payload: Any) -> list[str] | None:
    if not _is_kept(payload):
        return None
    client.held = frame
    return []


def _deafen(client: Client, frame: str, event: str, _payload: Any) -> list[str] | None:
    if event != "presence:diff" or '"text"' not in frame:
        return None
    client.deaf = True
    return []


def _lose_edit(client: Client, _frame: str, event: str, _payload: Any) -> list[str] | None:
    if event != "collab:update":
        return None
    client.skip_down = True
    return []

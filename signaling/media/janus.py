"""Janus as an engine: its video room over HTTP.

Clients speak to Janus by themselves, with janus.js, and join with a token that Janus checks without asking us. The hub
makes the rooms, moderates and closes them. Janus needs ``string_ids = true`` for its video room, and its
``token_auth`` with the secret that the hub has. A person's id in the room is their user id; Janus lets whoever has a
token choose it, so among those who may be in a call it proves nothing.
Sources: janus.conf.meetecho.com, "REST", "VideoRoom", "Authentication of requests" (signed tokens).
"""

import base64
import contextlib
import hashlib
import hmac
import itertools
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

import aiohttp

from hub.kernel.clock import Clock
from signaling.media.engine import EngineDown, Kind, Leg, Stream, Way

PLUGIN = "janus.plugin.videoroom"
TOKEN_S = 600
"""Life of a client's token: looked at when they attach and join."""
ANSWER_S = 5.0
PUBLISHERS = 100
NO_SUCH_ROOM, ROOM_EXISTS, NO_SUCH_FEED = 426, 427, 428
"""Errors of the video room."""


class Janus:
    """Implements signaling.media.engine.MediaEngine.

    Each command has a session of its own: one that is kept would have to be polled, and dies with Janus.
    """

    name: Literal["janus"] = "janus"

    def __init__(self, *, url: str, client_url: str, token_secret: str, clock: Clock, video_bits_per_s: int) -> None:
        """``url`` is of its HTTP interface for us, ``client_url`` what clients are told."""
        self._url = url.rstrip("/")
        self._client_url = client_url
        self._secret = token_secret.encode()
        self._clock = clock
        self._video_bits_per_s = video_bits_per_s
        self._http: aiohttp.ClientSession | None = None
        self._transactions = itertools.count(1)

    async def aclose(self) -> None:
        """Close the connections. Idempotent."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def ensure_room(self, room: str) -> None:
        """See MediaEngine."""
        asked = {
            "request": "create",
            "publishers": PUBLISHERS,
            "bitrate": self._video_bits_per_s,
            "signed_tokens": True,
            "is_private": True,
            "permanent": False,
        }
        await self._ask(room, asked, harmless=(ROOM_EXISTS,))

    async def admit(self, room: str, leg: Leg) -> Way:
        """See MediaEngine. The token is two, with a space between: for each request, and for joining the room."""
        return Way(self._client_url, f"{self._token('janus', PLUGIN)} {self._token(PLUGIN, f'room={room}')}")

    async def offer(self, room: str, leg: Leg, sdp: str) -> None:
        """Clients signal to Janus itself."""

    async def mute(self, room: str, user_id: str, kind: Kind, muted: bool) -> None:
        """See MediaEngine."""
        for stream in await self.streams(room):
            if (stream.user_id, stream.kind) == (user_id, kind):
                mid = stream.id.rpartition("/")[2]
                asked = {"request": "moderate", "id": user_id, "mid": mid, "mute": muted}
                await self._ask(room, asked, harmless=(NO_SUCH_ROOM, NO_SUCH_FEED))

    async def remove(self, room: str, leg: Leg) -> None:
        """See MediaEngine."""
        await self._ask(room, {"request": "kick", "id": leg.user_id}, harmless=(NO_SUCH_ROOM, NO_SUCH_FEED))

    async def close(self, room: str) -> None:
        """See MediaEngine."""
        await self._ask(room, {"request": "destroy"}, harmless=(NO_SUCH_ROOM,))

    async def streams(self, room: str) -> Sequence[Stream]:
        """See MediaEngine. Only who is in a room is told what is sent in it, so we look in for a moment, unseen."""
        async with self._handle() as (session, handle):
            body = {
                "request": "join",
                "ptype": "publisher",
                "room": room,
                "id": f"hub-{secrets.token_hex(8)}",
                "token": self._token(PLUGIN, f"room={room}"),
            }
            await self._post(handle, expected="ack", janus="message", body=body)
            said = await self._event(session)
        if said.get("error_code") in (NO_SUCH_ROOM, None):
            return [
                Stream(f"{one['id']}/{stream['mid']}", str(one["id"]), stream["type"])
                for one in said.get("publishers", ())
                for stream in one.get("streams", ())
                if not stream.get("disabled") and stream["type"] in ("audio", "video")
            ]
        raise EngineDown(f"Janus does not let us look: {said.get('error')}")

    async def _ask(self, room: str, body: Mapping[str, Any], *, harmless: tuple[int, ...]) -> None:
        """One command to the video room. Raises EngineDown."""
        message = {**body, "room": room, "secret": self._room_secret(room)}
        async with self._handle() as (_, handle):
            answered = await self._post(handle, janus="message", body=message)
        said = answered["plugindata"]["data"]
        code = said.get("error_code")
        if code is not None and code not in harmless:
            raise EngineDown(f"Janus refuses {body['request']}: {said.get('error')}")

    @contextlib.asynccontextmanager
    async def _handle(self) -> AsyncIterator[tuple[str, str]]:
        """A session with a handle of the video room, by their addresses."""
        made = await self._post(self._url, janus="create")
        session = f"{self._url}/{made['data']['id']}"
        try:
            attached = await self._post(session, janus="attach", plugin=PLUGIN)
            yield session, f"{session}/{attached['data']['id']}"
        finally:
            await self._post(session, janus="destroy")

    async def _post(self, url: str, *, expected: str = "success", **message: Any) -> dict[str, Any]:
        said = {**message, "transaction": str(next(self._transactions)), "token": self._token("janus", PLUGIN)}
        answered = await self._request("POST", url, json=said)
        if answered.get("janus") != expected:
            raise EngineDown(f"Janus refuses: {answered.get('error', {}).get('reason', answered.get('janus'))}")
        return answered

    async def _event(self, session: str) -> dict[str, Any]:
        """What the video room says next in a session."""
        while True:
            answered = await self._request("GET", session, params={"token": self._token("janus", PLUGIN)})
            if answered.get("janus") == "event":
                said: dict[str, Any] = answered["plugindata"]["data"]
                return said
            if answered.get("janus") != "keepalive":
                raise EngineDown("Janus has ended the session.")

    async def _request(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ANSWER_S))
        try:
            async with self._http.request(method, url, **options) as response:
                answered: dict[str, Any] = await response.json(content_type=None)
                return answered
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise EngineDown("Janus does not answer.") from error

    def _token(self, realm: str, *descriptors: str) -> str:
        """A signed token, which lasts TOKEN_S. The realm is Janus's own, or that of the plugin that looks at it."""
        expires_s = self._clock.now_ms() // 1000 + TOKEN_S
        signed = ",".join([str(expires_s), realm, *descriptors])
        digest = hmac.new(self._secret, signed.encode(), hashlib.sha1).digest()  # Janus checks no other
        return f"{signed}:{base64.b64encode(digest).decode()}"

    def _room_secret(self, room: str) -> str:
        """Who has it may close the room and put people out: nobody but us, and all of our nodes."""
        return hmac.new(self._secret, f"room {room}".encode(), hashlib.sha256).hexdigest()

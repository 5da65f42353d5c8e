"""The hub's own media servers, as an engine: found by their leases, commanded over HTTP."""

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from hub.kernel.errors import Unavailable
from signaling.media.embedded import wire
from signaling.media.embedded.lease_redis import Address, MediaServers
from signaling.media.engine import BadSignal, EngineBusy, EngineDown, Kind, Leg, Stream, Way

ANSWER_S = 3.0
"""Longest wait for a server. It answers within milliseconds; after a lease it is dead anyway."""
UNKNOWN_KEY = 401
GONE = 404
REFUSED = 422
T = TypeVar("T")


class Embedded:
    """Implements signaling.media.engine.MediaEngine."""

    name = "embedded"

    def __init__(self, servers: MediaServers) -> None:
        self._servers = servers
        self._http: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close the connections to the servers. Idempotent."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def available(self) -> bool:
        """Whether there is a server. False while Redis is away."""
        try:
            return bool(await self._servers.live())
        except Unavailable:
            return False

    async def ensure_room(self, room: str) -> None:
        """See MediaEngine. The room itself is made with the first offer."""
        await self._place(room)

    async def admit(self, room: str, leg: Leg) -> Way:
        """See MediaEngine: clients signal through the hub."""
        return Way()

    async def offer(self, room: str, leg: Leg, sdp: str, *, echo: bool = False) -> str:
        """See MediaEngine. With ``echo`` the room, if it is new, is one in which everybody hears themselves."""
        server = await self._place(room)
        offered = wire.Offered(leg.user_id, sdp, echo)
        answered = await self._ask(
            server, "POST", f"{_path(room)}/legs/{quote(leg.id, safe='')}", offered, wire.Answered
        )
        if answered is None:
            raise EngineDown("The media server has closed the room.")
        return answered.sdp

    async def mute(self, room: str, user_id: str, kind: Kind, muted: bool) -> None:
        """See MediaEngine."""
        await self._tell(room, "PUT", f"{_path(room)}/mutes", wire.Muted(user_id, kind, muted))

    async def remove(self, room: str, leg: Leg) -> None:
        """See MediaEngine."""
        await self._tell(room, "DELETE", f"{_path(room)}/legs/{quote(leg.id, safe='')}")

    async def close(self, room: str) -> None:
        """See MediaEngine."""
        await self._tell(room, "DELETE", _path(room))
        try:
            await self._servers.forget(room)
        except Unavailable as error:
            raise EngineDown(str(error)) from error

    async def streams(self, room: str) -> Sequence[Stream]:
        """See MediaEngine."""
        found = await self._get(room, _path(room), wire.Streams)
        return [] if found is None else [Stream(one.id, one.user_id, one.kind) for one in found.streams]

    async def record(self, room: str, on: bool) -> None:
        """Record a room, or stop. Raises EngineDown, and BadSignal if the server records nothing."""
        await self._tell(room, "PUT", f"{_path(room)}/recording", wire.Recorded(on))

    async def quality(self, room: str, leg: Leg) -> wire.Measured | None:
        """How well a leg's connection carries, None if it has none. Raises EngineDown."""
        return await self._get(room, f"{_path(room)}/legs/{quote(leg.id, safe='')}/quality", wire.Measured)

    async def _place(self, room: str) -> Address:
        try:
            return await self._servers.place(room)
        except Unavailable as error:
            raise EngineDown(str(error)) from error

    async def _where(self, room: str) -> Address | None:
        try:
            return await self._servers.where(room)
        except Unavailable as error:
            raise EngineDown(str(error)) from error

    async def _tell(self, room: str, method: str, path: str, message: msgspec.Struct | None = None) -> None:
        server = await self._where(room)
        if server is not None:
            await self._ask(server, method, path, message, None)

    async def _get(self, room: str, path: str, shape: type[T]) -> T | None:
        server = await self._where(room)
        return None if server is None else await self._ask(server, "GET", path, None, shape)

    async def _ask(
        self, server: Address, method: str, path: str, message: msgspec.Struct | None, shape: type[T] | None
    ) -> T | None:
        """One request. None if there is no such room or leg."""
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ANSWER_S))
        body: Any = None if message is None else msgspec.json.encode(message)
        headers = {wire.KEY: f"Bearer {server.key}"}
        try:
            async with self._http.request(method, server.url + path, data=body, headers=headers) as response:
                status, said = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EngineDown("The media server does not answer.") from error
        if status == GONE:
            return None
        if status == REFUSED:
            raise BadSignal(msgspec.json.decode(said, type=wire.Refused).reason)
        if status == UNKNOWN_KEY:
            raise EngineDown("The media server is another than it was.")
        if status >= 400:
            raise EngineBusy(f"The media server answers with {status}.")
        return None if shape is None else msgspec.json.decode(said, type=shape)


def _path(room: str) -> str:
    return f"/rooms/{quote(room, safe='')}"

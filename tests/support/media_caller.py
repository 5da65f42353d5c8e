"""A caller of a media server: aiortc, which sends a tone or a moving picture and counts what it gets.

It offers, the server answers; streams come in the sections that ``receive`` adds, at the next ``negotiate``.
"""

import asyncio
import fractions
from collections.abc import Awaitable, Callable
from typing import Any

import aioice.ice
import av
import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from hub.demo.peer import Tone

WIDTH, HEIGHT = 160, 120
FRAMES_PER_S = 50
Answer = Callable[[str], Awaitable[str]]


class Picture(MediaStreamTrack):
    """Frames whose brightness goes up and down."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self._began = asyncio.get_running_loop().time()

    async def recv(self) -> av.VideoFrame:
        due = self._began + self._count / FRAMES_PER_S
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        shade = 16 + self._count * 4 % 200
        for plane in frame.planes:
            plane.update(bytes([shade]) * plane.buffer_size)
        frame.pts, frame.time_base = self._count * 90_000 // FRAMES_PER_S, fractions.Fraction(1, 90_000)
        self._count += 1
        return frame


class MediaCaller:
    """One peer connection. ``answer`` takes an offer to the server and gives its answer."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.frames: dict[str, int] = {}
        """Frames that came and were decoded, by the id of the section's track."""
        self.kinds: dict[str, str] = {}
        self._readers: list[asyncio.Task[None]] = []
        self.connection.on("track", self._track)

    def send(self, *kinds: str) -> None:
        """Have a section that sends, for each kind."""
        for kind in kinds:
            self.connection.addTransceiver(Tone() if kind == "audio" else Picture(), direction="sendonly")

    def receive(self, *kinds: str) -> None:
        """Have a section that receives, for each kind."""
        for kind in kinds:
            self.connection.addTransceiver(kind, direction="recvonly")

    async def negotiate(self) -> str:
        """Offer, and take the answer; gives it."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        # aiortc begins to connect in a task that does not expect the answer before its first turn
        for _ in range(3):
            await asyncio.sleep(0)
        answer = await self._answer(self.connection.localDescription.sdp)
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return answer

    @property
    def connected(self) -> bool:
        return bool(self.connection.connectionState == "connected")

    def played(self, kind: str) -> list[int]:
        """Frames of each stream of a kind, in the order in which they came."""
        return [count for track, count in self.frames.items() if self.kinds[track] == kind]

    async def close(self) -> None:
        await self.connection.close()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    def _track(self, track: Any) -> None:
        self._readers.append(asyncio.get_running_loop().create_task(self._read(track)))

    async def _read(self, track: Any) -> None:
        self.kinds[track.id] = track.kind
        self.frames[track.id] = 0
        try:
            while True:
                await track.recv()
                self.frames[track.id] += 1
        except MediaStreamError:
            pass


def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have aiortc in this process use the loopback, and it alone: no test leaves the machine."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])

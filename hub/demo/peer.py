"""One end of a call: aiortc, sending a tone and messages."""

import array
import asyncio
import math
from typing import Any, cast

import aioice.ice
from aiortc import (
    AudioStreamTrack,
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from av import AudioFrame

from hub.demo.errors import ANSWER_S, DemoError

TONE_HZ = 440
LOUDNESS = 8000
AUDIBLE = LOUDNESS // 4
"""Far above what a codec makes of silence, far below the tone."""


class Tone(AudioStreamTrack):
    """A sine. The base class makes silence at the right pace."""

    async def recv(self) -> AudioFrame:
        """The next 20 ms."""
        frame = cast("AudioFrame", await super().recv())
        step = 2 * math.pi * TONE_HZ / frame.sample_rate
        wave = (int(LOUDNESS * math.sin(step * ((frame.pts or 0) + index))) for index in range(frame.samples))
        frame.planes[0].update(array.array("h", wave).tobytes())
        return frame


class Peer:
    """A peer connection with a tone on it; the caller's also opens the data channel."""

    def __init__(self, ice_servers: list[dict[str, Any]]) -> None:
        # Without a configuration aiortc asks a public STUN server
        self._connection = RTCPeerConnection(RTCConfiguration([RTCIceServer(**server) for server in ice_servers]))
        self._connection.addTrack(Tone())
        self._connection.on("track", self._incoming_track)
        self._connection.on("datachannel", self._channel_open)
        loop = asyncio.get_running_loop()
        self._track: asyncio.Future[MediaStreamTrack] = loop.create_future()
        self._channel: asyncio.Future[RTCDataChannel] = loop.create_future()
        self._messages: asyncio.Queue[str] = asyncio.Queue()

    async def offer(self) -> str:
        """The SDP to send, with every candidate in it: aiortc does not trickle."""
        channel = self._connection.createDataChannel("chat")
        channel.on("open", lambda: self._channel_open(channel))
        await self._connection.setLocalDescription(await self._connection.createOffer())
        return str(self._connection.localDescription.sdp)

    async def answer(self, offer: str) -> str:
        """The SDP that answers another's offer."""
        await self._connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        return str(self._connection.localDescription.sdp)

    async def take_answer(self, answer: str) -> None:
        """The other end's answer; from here on the two connect."""
        await self._connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def hear(self, frames: int) -> None:
        """Receive so many frames of audio that are not silent. Raises DemoError."""
        heard = 0
        try:
            async with asyncio.timeout(ANSWER_S):
                track = await self._track
                while heard < frames:
                    frame = cast("AudioFrame", await track.recv())
                    heard += max(array.array("h", bytes(frame.planes[0]))) > AUDIBLE
        except TimeoutError:
            raise DemoError(f"{heard} of {frames} audio frames within {ANSWER_S:g} s; {self._state()}") from None

    async def say(self, text: str) -> None:
        """Send a message over the data channel, once that is open. Raises DemoError."""
        try:
            async with asyncio.timeout(ANSWER_S):
                channel = await self._channel
        except TimeoutError:
            raise DemoError(f"no data channel within {ANSWER_S:g} s; {self._state()}") from None
        channel.send(text)

    async def read(self) -> str:
        """The next message of the other end. Raises DemoError."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._messages.get()
        except TimeoutError:
            raise DemoError(f"no message on the data channel within {ANSWER_S:g} s; {self._state()}") from None

    async def close(self) -> None:
        """End it."""
        await self._connection.close()

    def _incoming_track(self, track: MediaStreamTrack) -> None:
        self._track.set_result(track)

    def _channel_open(self, channel: RTCDataChannel) -> None:
        channel.on("message", self._messages.put_nowait)
        self._channel.set_result(channel)

    def _state(self) -> str:
        connection = self._connection
        return f"the connection is {connection.connectionState}, ICE {connection.iceConnectionState}"


def allow_loopback() -> None:
    """Let two peers on a machine without a network find each other: aioice passes the loopback over."""
    addresses = aioice.ice.get_host_addresses

    def or_loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return addresses(use_ipv4, use_ipv6) or ["127.0.0.1"]

    aioice.ice.get_host_addresses = or_loopback

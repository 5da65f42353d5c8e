"""A publisher and many receivers: aiortc's ICE and DTLS, and a receiver that loses packets and asks for them again.

Receivers report once a second and send a NACK for each packet that they lose on purpose, as a browser would. They
decode nothing, so that one core of load is enough for a core of server.
"""

import asyncio
import random
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from load_tests.bench.errors import CannotMeasure
from load_tests.bench.media.sources import Encoded, Kind
from signaling.media.embedded import rtcp, sequence
from signaling.media.embedded.connection import monotonic_ms
from signaling.media.embedded.reception import Reception

CONNECT_S = 20.0
REPORT_EVERY_S = 1.0
_header = struct.Struct("!xBHII")
Answer = Callable[[str], Awaitable[str]]
"""An offer's way to the server, which answers."""


@dataclass
class Counts:
    """Of one receiver."""

    packets: int = 0
    octets: int = 0
    lost: int = 0
    """On purpose."""
    repaired: int = 0
    """Came again."""


class Receiver:
    """A connection that takes one stream."""

    def __init__(self, kind: Kind, lost_of_a_thousand: int, seed: int) -> None:
        self.counts = Counts()
        self.connection = _connection()
        self._lost_of_a_thousand = lost_of_a_thousand
        self._kind = kind
        self._draw = random.Random(seed)
        self._reception = Reception(48_000 if kind == "audio" else 90_000)
        self._highest = -1
        self._ssrc = 0
        self._payload_type: int | None = None
        self._transport: Any = None
        self._reporting: asyncio.Task[None] | None = None

    async def connect_by_offer(self, answer: Answer) -> None:
        """Offer to receive. Raises CannotMeasure."""
        self.connection.addTransceiver(self._kind, direction="recvonly")
        await self.connection.setLocalDescription(await self.connection.createOffer())
        described = await answer(self.connection.localDescription.sdp)
        await self.connection.setRemoteDescription(RTCSessionDescription(described, "answer"))
        await self._connected()

    async def connect_by_answer(self, offer: str, answered: Callable[[str], Awaitable[None]]) -> None:
        """Answer a server that offers. Raises CannotMeasure."""
        await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        await answered(self.connection.localDescription.sdp)
        await self._connected()

    async def close(self) -> None:
        """End it."""
        if self._reporting is not None:
            self._reporting.cancel()
        await self.connection.close()

    async def _connected(self) -> None:
        await connected(self.connection)
        (transceiver,) = self.connection.getTransceivers()
        self._transport = transceiver.receiver.transport
        self._payload_type = transceiver._codecs[0].payloadType
        self._transport._handle_rtp_data = self._packet
        self._reporting = asyncio.get_running_loop().create_task(self._report_for_ever())

    async def _packet(self, data: bytes, arrival_time_ms: int) -> None:
        kind, number16, timestamp, ssrc = _header.unpack_from(data)
        if kind & 0x7F != self._payload_type:
            self.counts.repaired += 1
            return
        if self._lost_of_a_thousand and self._draw.randrange(1000) < self._lost_of_a_thousand:
            self.counts.lost += 1
            return
        self._ssrc = ssrc
        number = sequence.first(number16) if self._highest < 0 else sequence.extend(number16, self._highest)
        self._reception.packet(number, timestamp, monotonic_ms())
        missing = range(self._highest + 1, number) if 0 <= self._highest < number else ()
        self._highest = max(self._highest, number)
        self.counts.packets += 1
        self.counts.octets += len(data)
        if missing and self._kind == "video":
            await self._send(rtcp.nack(1, ssrc, list(missing)[:100]))

    async def _report_for_ever(self) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S * (0.5 + self._draw.random()))
            if self._ssrc:
                await self._send(rtcp.receiver_report(1, [self._reception.report(self._ssrc, monotonic_ms())]))

    async def _send(self, data: bytes) -> None:
        await self._transport._send_rtp(data)


async def publish(track: Encoded, answer: Answer) -> RTCPeerConnection:
    """A connection that sends a track. Raises CannotMeasure."""
    connection = _connection()
    connection.addTransceiver(track, direction="sendonly")
    await connection.setLocalDescription(await connection.createOffer())
    described = await answer(connection.localDescription.sdp)
    await connection.setRemoteDescription(RTCSessionDescription(described, "answer"))
    await connected(connection)
    return connection


async def connected(connection: RTCPeerConnection) -> None:
    """Wait for it. Raises CannotMeasure."""
    end = asyncio.get_running_loop().time() + CONNECT_S
    while connection.connectionState != "connected":
        if asyncio.get_running_loop().time() > end or connection.connectionState in ("failed", "closed"):
            raise CannotMeasure(f"a connection to the media server is {connection.connectionState}")
        await asyncio.sleep(0.005)


def _connection() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))

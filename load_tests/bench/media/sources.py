"""Sound and pictures that are encoded once and sent at their pace, so that a publisher costs next to nothing."""

import asyncio
import fractions
import math
import random
from typing import Any, Literal

import av
from aiortc import MediaStreamTrack

Kind = Literal["audio", "video"]
AUDIO_BIT_S = 32_000
VIDEO_BIT_S = 1_000_000
WIDTH, HEIGHT = 640, 360
FRAMES_PER_S = 30
LOOP_S = 4
"""Seconds that are encoded; then they are sent again."""
PAYLOAD = 1295
"""Bytes of a frame that aiortc puts into a packet."""
AUDIO_FRAME = 960
"""Samples: 20 ms, as every browser sends."""


class Encoded(MediaStreamTrack):
    """A track of packets."""

    def __init__(self, kind: Kind, packets: list[bytes], clock_rate: int, ticks: int) -> None:
        super().__init__()
        self.kind = kind
        self.packets_per_s = sum(math.ceil(len(one) / PAYLOAD) for one in packets) / LOOP_S
        """Of RTP, at the pace at which it should be."""
        self._packets = packets
        self._time_base = fractions.Fraction(1, clock_rate)
        self._ticks = ticks
        self._count = 0
        self._began: float | None = None

    async def recv(self) -> Any:
        """The next packet, when it is due."""
        now = asyncio.get_running_loop().time()
        self._began = now if self._began is None else self._began
        due = self._began + float(self._count * self._ticks * self._time_base)
        if due > now:
            await asyncio.sleep(due - now)
        packet = av.Packet(self._packets[self._count % len(self._packets)])
        packet.pts, packet.time_base = self._count * self._ticks, self._time_base
        self._count += 1
        return packet


def sound() -> Encoded:
    """Opus, 32 kb/s: 50 packets a second."""
    codec: Any = av.CodecContext.create("libopus", "w")
    codec.bit_rate, codec.format, codec.layout, codec.sample_rate = AUDIO_BIT_S, "s16", "stereo", 48_000
    draw, packets = random.Random(1), []
    for count in range(LOOP_S * 50):
        frame = av.AudioFrame(format="s16", layout="stereo", samples=AUDIO_FRAME)
        frame.planes[0].update(draw.randbytes(AUDIO_FRAME * 4))
        frame.sample_rate, frame.pts = 48_000, count * AUDIO_FRAME
        packets += [bytes(one) for one in codec.encode(frame)]
    return Encoded("audio", packets, 48_000, AUDIO_FRAME)


def picture() -> Encoded:
    """VP8, 360p, 1 Mb/s: some 110 packets a second."""
    codec: Any = av.CodecContext.create("libvpx", "w")
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    codec.bit_rate, codec.time_base, codec.gop_size = VIDEO_BIT_S, fractions.Fraction(1, FRAMES_PER_S), 60
    rate = str(VIDEO_BIT_S)
    codec.options = {"deadline": "realtime", "cpu-used": "-6", "minrate": rate, "maxrate": rate, "bufsize": rate}
    noise, packets = random.Random(1).randbytes(WIDTH * HEIGHT * 2), []
    for count in range(LOOP_S * FRAMES_PER_S):
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        for plane in frame.planes:
            at = count * WIDTH % (len(noise) - plane.buffer_size)
            plane.update(bytes(one // 6 + 100 for one in noise[at : at + plane.buffer_size]))
        frame.pts, frame.time_base = count, codec.time_base
        packets += [bytes(one) for one in codec.encode(frame)]
    return Encoded("video", packets, 90_000, 90_000 // FRAMES_PER_S)

"""A call recorded to files: each stream into one of its own, as it came, decoded by nobody.

Sound is Opus and pictures are VP8, in WebM. A stream begins with a key frame; what was lost for good is missing.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from aiortc.codecs.vpx import vp8_depayload
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket

from signaling.media.embedded import rtp
from signaling.media.embedded.inbound import Inbound
from signaling.media.embedded.outbound import Outbound
from signaling.media.embedded.repeats import Repeats
from signaling.media.embedded.webm import WebmWriter, can_write

log = logging.getLogger(__name__)

REORDERED = {"audio": 16, "video": 512}
"""Packets that are held until one that is missing comes again."""
STREAMS = 100
"""Of a room that are recorded at once, at most: each has a thread and an open file."""


class Writer(Protocol):
    """Takes the frames of one stream; see ``WebmWriter``."""

    def write(self, data: bytes, timestamp: int) -> None:
        """A whole frame, with its RTP timestamp, unwrapped."""
        ...

    def close(self) -> None:
        """No more come."""
        ...


class Recording:
    """The recording of one room. ``failed`` is called on another thread when the disk takes no more."""

    def __init__(self, folder: Path, now_ms: Callable[[], float], failed: Callable[[], None]) -> None:
        """``folder`` is that of the room."""
        self.writers: list[WebmWriter] = []
        """Those that may still be writing."""
        self._folder = folder
        self._now_ms = now_ms
        self._failed = failed
        self._streams: dict[Inbound, StreamRecording] = {}

    def follow(self, streams: list[Inbound]) -> None:
        """Record these streams from now on, and no others."""
        for gone in self._streams.keys() - set(streams):
            self._streams.pop(gone).close()
        self.writers = [one for one in self.writers if one.writing]
        for stream in streams:
            mime_type = stream.encoding.codec.mime_type
            if stream in self._streams or not can_write(mime_type):
                continue
            if len(self._streams) >= STREAMS:
                log.warning("more than %d streams are sent: the others are not recorded", STREAMS)
                return
            name = f"{quote(stream.publisher.user_id, safe='')}-{stream.encoding.kind}"
            writer = WebmWriter(self._folder, name, mime_type, self._failed)
            self.writers.append(writer)
            self._streams[stream] = StreamRecording(stream, writer, self._now_ms())

    def close(self) -> None:
        """End it. The files are whole soon after."""
        self.follow([])


class StreamRecording:
    """One stream: its packets put in order, and together to frames."""

    def __init__(self, stream: Inbound, writer: Writer, now_ms: float) -> None:
        codec = stream.encoding.codec
        self._is_video = stream.encoding.kind == "video"
        self._buffer = JitterBuffer(capacity=REORDERED[stream.encoding.kind], is_video=self._is_video)
        self._writer = writer
        self._last: int | None = None
        # A slot like any other, so it has numbers without a break whatever the publisher does.
        self._slot = Outbound(stream.encoding.kind, codec.clock_rate, self._packet, Repeats())
        self._slot.take(stream, codec.payload_type, None, now_ms)
        stream.want_key_frame(now_ms)

    def close(self) -> None:
        """Record no more."""
        self._slot.drop(0.0)
        self._writer.close()

    def _packet(self, _bits: int, kind: int, sequence: int, timestamp: int, ssrc: int, payload: bytes) -> None:
        try:
            self._frame(kind, sequence, timestamp, ssrc, payload)
        except Exception:  # what a publisher sends must not keep it from those who are in the call
            log.debug("a packet could not be recorded", exc_info=True)

    def _frame(self, kind: int, sequence: int, timestamp: int, ssrc: int, payload: bytes) -> None:
        packet: Any = RtpPacket(
            payload_type=kind & ~rtp.MARKER,
            marker=int(bool(kind & rtp.MARKER)),
            sequence_number=sequence,
            timestamp=timestamp,
            ssrc=ssrc,
            payload=payload,
        )
        packet._data = vp8_depayload(payload) if self._is_video and payload else payload
        _, frame = self._buffer.add(packet)
        if frame is not None and frame.data:
            self._writer.write(frame.data, self._unwrapped(frame.timestamp))

    def _unwrapped(self, timestamp: int) -> int:
        """The timestamp without its wrap at 32 bits."""
        if self._last is None:
            self._last = timestamp
        half = 1 << 31
        self._last += ((timestamp - self._last + half) & 0xFFFFFFFF) - half
        return self._last

"""A call recorded to files: each stream into one of its own, as it came, decoded by nobody.

Sound is Opus and pictures are VP8, in WebM. A stream begins with a key frame; what was lost for good is missing.
"""

import fractions
import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import av
from aiortc.codecs.vpx import vp8_depayload
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket

from signaling.media.embedded import rtp
from signaling.media.embedded.inbound import Inbound
from signaling.media.embedded.outbound import Outbound

log = logging.getLogger(__name__)

REORDERED = {"audio": 16, "video": 512}
"""Packets that are held until one that is missing comes again."""
WAITING = 2000
"""Frames that wait for the disk, at most: half a minute of picture and sound. Then they are lost."""
_CODECS = {"audio/opus": "libopus", "video/vp8": "libvpx"}
_KEY_FRAME_HEAD = 10
"""Bytes of a VP8 key frame up to its size (RFC 6386, section 9.1)."""


class Writer(Protocol):
    """Takes the frames of one stream; see ``WebmWriter``."""

    def write(self, data: bytes, timestamp: int) -> None:
        """A whole frame, with its RTP timestamp, unwrapped."""
        ...

    def close(self) -> None:
        """No more come."""
        ...


class Recording:
    """The recording of one room."""

    def __init__(self, folder: Path, now_ms: Callable[[], float]) -> None:
        """``folder`` is that of the room, made if it is not there."""
        self._folder = folder
        self._now_ms = now_ms
        self._streams: dict[Inbound, StreamRecording] = {}
        self._files = 0

    def follow(self, streams: list[Inbound]) -> None:
        """Record these streams from now on, and no others."""
        for gone in self._streams.keys() - set(streams):
            self._streams.pop(gone).close()
        for stream in streams:
            if stream not in self._streams and stream.encoding.codec.mime_type in _CODECS:
                self._files += 1
                name = f"{self._files:03}-{quote(stream.publisher.user_id, safe='')}-{stream.encoding.kind}.webm"
                writer = WebmWriter(self._folder / name, stream.encoding.codec.mime_type)
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
        self._slot = Outbound(stream.encoding.kind, codec.clock_rate, self._packet)
        self._slot.take(stream, codec.payload_type, None, now_ms)
        stream.want_key_frame(now_ms)

    def close(self) -> None:
        """Record no more."""
        self._slot.drop(0.0)
        self._writer.close()

    def _packet(self, header: bytes, payload: bytes) -> None:
        try:
            self._frame(header, payload)
        except Exception:  # what a publisher sends must not keep it from those who are in the call
            log.debug("a packet could not be recorded", exc_info=True)

    def _frame(self, header: bytes, payload: bytes) -> None:
        read = rtp.parse(header + payload)
        packet: Any = RtpPacket(
            payload_type=read.payload_type,
            marker=int(bool(read.marker)),
            sequence_number=read.sequence,
            timestamp=read.timestamp,
            ssrc=read.ssrc,
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


class WebmWriter:
    """Writes one stream into a file, on a thread of its own: a disk may be slow, the server may not."""

    def __init__(self, path: Path, mime_type: str) -> None:
        self._path = path
        self._mime_type = mime_type
        self._frames: queue.Queue[tuple[bytes, int] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name=f"recording {path.name}", daemon=True)
        self._thread.start()

    def write(self, data: bytes, timestamp: int) -> None:
        """See Writer. Dropped if the disk is too slow."""
        if self._frames.qsize() < WAITING - 1:
            self._frames.put_nowait((data, timestamp))

    def close(self) -> None:
        """See Writer."""
        self._frames.put_nowait(None)

    def join(self, timeout_s: float) -> None:
        """Wait until the file is whole."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._write_all()
        except Exception:  # av's errors are many, and a full disk is an OSError
            log.exception("the recording %s has ended early", self._path)

    def _write_all(self) -> None:
        container: Any = None
        stream: Any = None
        began = 0
        clock_rate = 90_000 if self._mime_type == "video/vp8" else 48_000
        try:
            while (frame := self._frames.get()) is not None:
                data, timestamp = frame
                if container is None:
                    size = key_frame_size(data) if self._mime_type == "video/vp8" else (0, 0)
                    if size is None:
                        continue
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    container = av.open(str(self._path), "w", format="webm")
                    stream = self._stream(container, size)
                    began = timestamp
                packet = av.Packet(data)
                packet.stream = stream
                packet.time_base = fractions.Fraction(1, clock_rate)
                packet.pts = packet.dts = timestamp - began
                packet.is_keyframe = self._mime_type != "video/vp8" or key_frame_size(data) is not None
                container.mux(packet)
        finally:
            if container is not None:
                container.close()

    def _stream(self, container: Any, size: tuple[int, int]) -> Any:
        if self._mime_type == "audio/opus":
            made = container.add_stream("libopus", rate=48_000)
            made.layout = "stereo"
            return made
        made = container.add_stream("libvpx", rate=30)
        made.width, made.height = size
        made.pix_fmt = "yuv420p"
        return made


def key_frame_size(frame: bytes) -> tuple[int, int] | None:
    """Width and height of a VP8 key frame; None for any other frame."""
    if len(frame) < _KEY_FRAME_HEAD or frame[0] & 1 or frame[3:6] != b"\x9d\x01\x2a":
        return None
    width, height = int.from_bytes(frame[6:8], "little"), int.from_bytes(frame[8:10], "little")
    return width & 0x3FFF, height & 0x3FFF

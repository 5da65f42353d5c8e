"""A stream written into a WebM file, on a thread of its own: a disk may be slow, the server may not.

A file is ``….webm.part`` until it is whole. One that stays so was being written when its process died: it plays up to a
second before. No file is ever written over, so a recording may be stopped and begun again, on any media server.
"""

import fractions
import itertools
import logging
import os
import queue
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

log = logging.getLogger(__name__)

WAITING = 2000
"""Frames that wait for the disk, at most: half a minute of picture and sound. Then they are lost."""
WAITING_BYTES = 16 * 1024 * 1024
"""The same, in bytes: what a publisher says is one frame can have half a megabyte."""
FREE_BYTES = 512 * 1024 * 1024
"""Left on the disk, at least: the hub's databases may be on it too."""
CHECKED_EVERY = 200
"""Frames between two looks at the disk: some seconds."""
_CODECS = {"audio/opus": "libopus", "video/vp8": "libvpx"}
_CLUSTER = {"cluster_time_limit": "1000"}
"""Milliseconds of a stream that the muxer holds back, which a dead process loses."""
_PART = ".part"
_KEY_FRAME_HEAD = 10
"""Bytes of a VP8 key frame up to its size (RFC 6386, section 9.1)."""
_OWNER_ONLY = 0o600


class DiskFull(OSError):
    """There is not enough space on the disk."""


def require_space(folder: Path) -> None:
    """Raises DiskFull, or OSError for a folder that cannot be made."""
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < FREE_BYTES:
        raise DiskFull(f"Less than {FREE_BYTES // 1024**2} MB are free in {folder}.")


def can_write(mime_type: str) -> bool:
    """Whether streams of this codec can be written."""
    return mime_type in _CODECS


class WebmWriter:
    """Writes one stream. ``failed`` is called on the writer's thread when the disk takes no more."""

    def __init__(self, folder: Path, name: str, mime_type: str, failed: Callable[[], None]) -> None:
        """``name`` is that of the file, without its number and its ending."""
        self._folder = folder
        self._name = name
        self._mime_type = mime_type
        self._failed = failed
        self._frames: queue.Queue[tuple[bytes, int] | None] = queue.Queue(WAITING)
        self._given = self._taken = 0
        """Bytes of frames: the first is counted by who writes, the second by the thread."""
        self._thread = threading.Thread(target=self._run, name=f"recording {name}", daemon=True)
        self._thread.start()

    @property
    def writing(self) -> bool:
        """Whether the file is not yet whole."""
        return self._thread.is_alive()

    def write(self, data: bytes, timestamp: int) -> None:
        """Write a whole frame, with its RTP timestamp, unwrapped. Dropped if the disk is too slow."""
        has_place = self._frames.qsize() < WAITING - 1 and self._given - self._taken < WAITING_BYTES
        if has_place and self.writing:
            self._given += len(data)
            self._frames.put_nowait((data, timestamp))

    def close(self) -> None:
        """No more come: the file is whole soon after. To be called once."""
        self._frames.put_nowait(None)

    def join(self, timeout_s: float) -> None:
        """Wait until the file is whole."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._write_all()
        except OSError:
            log.exception("the recording %s has ended early", self._name)
            self._failed()
        except Exception:  # av's errors are many; what a publisher sends ends its own recording only
            log.warning("the recording %s has ended early", self._name, exc_info=True)

    def _write_all(self) -> None:
        is_video = self._mime_type == "video/vp8"
        container: Any = None
        stream: Any = None
        path, began, size = Path(), 0, (0, 0)
        time_base = fractions.Fraction(1, 90_000 if is_video else 48_000)
        try:
            for count in itertools.count():
                frame = self._frames.get()
                if frame is None:
                    break
                data, timestamp = frame
                self._taken += len(data)
                if count % CHECKED_EVERY == 0:
                    require_space(self._folder)
                shown = key_frame_size(data) if is_video else None
                if container is None:
                    if is_video and shown is None:
                        continue
                    path, began, size = claim(self._folder, self._name), timestamp, shown or size
                    container = av.open(str(path), "w", format="webm", options=_CLUSTER)
                    stream = self._stream(container, size)
                packet = av.Packet(data)
                packet.stream = stream
                packet.time_base = time_base
                packet.pts = packet.dts = timestamp - began
                packet.is_keyframe = not is_video or shown is not None
                container.mux(packet)
        finally:
            if container is not None:
                container.close()
        if container is not None:
            path.rename(path.with_suffix(""))

    def _stream(self, container: Any, size: tuple[int, int]) -> Any:
        if self._mime_type == "audio/opus":
            made = container.add_stream("libopus", rate=48_000)
            made.layout = "stereo"
            return made
        made = container.add_stream("libvpx", rate=30)
        made.width, made.height = size
        made.pix_fmt = "yuv420p"
        return made


def claim(folder: Path, name: str) -> Path:
    """A new file, which is nobody else's: of the first number that is free. Raises OSError."""
    for number in itertools.count(1):
        whole = folder / f"{name}-{number:03}.webm"
        part = whole.with_name(whole.name + _PART)
        try:
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNER_ONLY))
        except FileExistsError:
            continue
        if not whole.exists():
            return part
        part.unlink()
    raise AssertionError  # numbers do not end


def key_frame_size(frame: bytes) -> tuple[int, int] | None:
    """Width and height of a VP8 key frame; None for any other frame."""
    if len(frame) < _KEY_FRAME_HEAD or frame[0] & 1 or frame[3:6] != b"\x9d\x01\x2a":
        return None
    width, height = int.from_bytes(frame[6:8], "little"), int.from_bytes(frame[8:10], "little")
    return width & 0x3FFF, height & 0x3FFF

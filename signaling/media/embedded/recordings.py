"""Which rooms of a media server are recorded, and the files that are still being written."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from signaling.media.embedded.inbound import Inbound
from signaling.media.embedded.recording import Recording
from signaling.media.embedded.webm import WebmWriter, require_space

log = logging.getLogger(__name__)

FINISH_S = 5.0
"""Wait for files to become whole when the server ends: what waits for a usual disk takes a tenth of that."""


class CannotRecord(RuntimeError):
    """Nothing is recorded here, or nothing more."""


class Recordings:
    """By room. ``failed`` is called with a room, on the loop, when its recording has ended for want of space."""

    def __init__(self, folder: Path | None, now_ms: Callable[[], float], failed: Callable[[str], None]) -> None:
        """``folder`` has a folder for each room; without it, nothing can be recorded."""
        self._folder = folder
        self._now_ms = now_ms
        self._failed = failed
        self._by_room: dict[str, Recording] = {}
        self._finishing: list[WebmWriter] = []

    def __contains__(self, room_id: str) -> bool:
        return room_id in self._by_room

    def begin(self, room_id: str, streams: list[Inbound]) -> None:
        """Record a room that is not recorded yet. Raises CannotRecord."""
        if self._folder is None:
            raise CannotRecord("This media server records nothing.")
        folder = self._folder / folder_name(room_id)
        try:
            require_space(folder)
        except OSError as error:
            log.warning("room %s is not recorded: %s", room_id, error)
            raise CannotRecord("There is no space for a recording.") from error
        loop = asyncio.get_running_loop()

        def failed() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended before the file
                loop.call_soon_threadsafe(self._fail, room_id, recording)

        recording = self._by_room[room_id] = Recording(folder, self._now_ms, failed)
        recording.follow(streams)

    def follow(self, room_id: str, streams: list[Inbound]) -> None:
        """These are the streams of a room from now on. Nothing happens for a room that is not recorded."""
        if room_id in self._by_room:
            self._by_room[room_id].follow(streams)

    def end(self, room_id: str) -> None:
        """Record a room no more. Idempotent."""
        recording = self._by_room.pop(room_id, None)
        if recording is not None:
            recording.close()
            self._finishing = [one for one in (*self._finishing, *recording.writers) if one.writing]

    async def close(self) -> None:
        """End all, and wait until their files are whole, FINISH_S at most. Idempotent."""
        for room_id in list(self._by_room):
            self.end(room_id)
        await asyncio.to_thread(self._finish)

    def _finish(self) -> None:
        end = self._now_ms() + FINISH_S * 1000
        for writer in self._finishing:
            writer.join(max(end - self._now_ms(), 0.0) / 1000)

    def _fail(self, room_id: str, recording: Recording) -> None:
        if self._by_room.get(room_id) is recording:
            self.end(room_id)
            self._failed(room_id)


def folder_name(room_id: str) -> str:
    """A name that leads to nowhere else, whatever a room is called."""
    return quote(room_id, safe="").replace(".", "%2E")

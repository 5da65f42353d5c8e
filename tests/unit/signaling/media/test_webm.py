"""Files of recordings: whole ones, half ones, and what a full disk does."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest

from signaling.media.embedded import webm
from signaling.media.embedded.recordings import CannotRecord, Recordings, folder_name
from signaling.media.embedded.webm import DiskFull, WebmWriter, claim, key_frame_size
from tests.support.media_streams import Published
from tests.support.wait import until

SILENCE = b"\xf8\xff\xfe"
"""20 ms of Opus."""


def nothing() -> None:
    pass


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    for one in threading.enumerate():
        if one.name.startswith("recording"):
            one.join(5)
            assert not one.is_alive()


def written(folder: Path, frames: int = 5, failed: Callable[[], None] = nothing) -> WebmWriter:
    """A writer that has been given so many frames."""
    writer = WebmWriter(folder, "alice-audio", "audio/opus", failed)
    for number in range(frames):
        writer.write(SILENCE, number * 960)
    return writer


def test_a_file_has_its_name_when_it_is_whole(tmp_path: Path) -> None:
    writer = written(tmp_path)
    writer.close()
    writer.join(5)
    (whole,) = tmp_path.iterdir()
    assert whole.name == "alice-audio-001.webm"
    assert whole.stat().st_mode & 0o077 == 0
    with av.open(str(whole)) as container:
        assert sum(1 for packet in container.demux() if packet.size) == 5


def test_a_recording_that_is_begun_again_writes_nothing_over(tmp_path: Path) -> None:
    for _ in range(3):
        writer = written(tmp_path)
        writer.close()
        writer.join(5)
    (tmp_path / "alice-audio-004.webm.part").touch()  # of a process that died
    assert claim(tmp_path, "alice-audio").name == "alice-audio-005.webm.part"
    assert len([one for one in tmp_path.iterdir() if one.suffix == ".webm"]) == 3


def test_a_stream_without_a_frame_leaves_no_file(tmp_path: Path) -> None:
    for mime_type in ("audio/opus", "video/vp8"):
        writer = WebmWriter(tmp_path, "x", mime_type, nothing)
        if mime_type == "video/vp8":
            writer.write(b"\x11 no key frame", 0)
        writer.close()
        writer.join(5)
    assert list(tmp_path.iterdir()) == []


async def test_a_full_disk_ends_a_recording_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[bool] = []
    monkeypatch.setattr(webm, "CHECKED_EVERY", 3)
    writer = written(tmp_path, 2, lambda: failed.append(True))
    await until(lambda: writer._given == writer._taken)
    monkeypatch.setattr(webm, "FREE_BYTES", 1 << 60)
    for number in range(2, 4):
        writer.write(SILENCE, number * 960)
    await until(lambda: failed)
    await until(lambda: not writer.writing)
    writer.write(SILENCE, 0)
    assert writer._frames.empty()  # nothing gathers behind it
    writer.close()
    assert [Path(one).suffix for one in os.listdir(tmp_path)] == [".part"]


def test_frames_that_wait_for_a_slow_disk_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = threading.Event()
    monkeypatch.setattr(webm, "require_space", lambda folder: slow.wait(10))
    writer = WebmWriter(tmp_path, "x", "audio/opus", nothing)
    for number in range(webm.WAITING + 100):
        writer.write(SILENCE, number * 960)
    assert writer._frames.qsize() < webm.WAITING
    large = WebmWriter(tmp_path, "y", "audio/opus", nothing)
    for number in range(100):
        large.write(bytes(1024 * 1024), number * 960)
    assert large._given < 20 * 1024 * 1024
    for one in (writer, large):
        one.close()
    slow.set()


@pytest.mark.parametrize("room", ["..", ".", "../../etc", "a/b", "x" * 200])
def test_a_room_has_a_folder_of_its_own_whatever_it_is_called(tmp_path: Path, room: str) -> None:
    assert (tmp_path / folder_name(room)).resolve().parent == tmp_path.resolve()


async def test_nothing_is_recorded_without_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recordings = Recordings(tmp_path, lambda: 0.0, lambda room: None)
    monkeypatch.setattr(webm, "FREE_BYTES", 1 << 60)
    with pytest.raises(CannotRecord, match="space"):
        recordings.begin("r", [])
    with pytest.raises(DiskFull):
        webm.require_space(tmp_path)
    assert "r" not in recordings


async def test_a_recording_that_the_disk_ends_is_over_for_the_whole_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[str] = []
    recordings = Recordings(tmp_path, lambda: 0.0, failed.append)
    published = [Published("audio"), Published("audio")]
    recordings.begin("r", [one.stream for one in published])
    monkeypatch.setattr(webm, "FREE_BYTES", 1 << 60)
    for number in range(40):
        published[0].packet(number, payload=SILENCE)
    await until(lambda: failed)
    assert failed == ["r"]
    assert "r" not in recordings
    assert [len(one.stream.outputs) for one in published] == [0, 0]


async def test_files_are_whole_when_the_server_has_ended(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, lambda: 0.0, lambda room: None)
    published = Published("audio")
    recordings.begin("r", [published.stream])
    for number in range(40):
        published.packet(number, payload=SILENCE)
    await recordings.close()
    await recordings.close()
    assert [one.name for one in (tmp_path / "r").iterdir()] == ["alice-audio-001.webm"]


@pytest.mark.parametrize(
    ("frame", "size"),
    [
        (b"\x10\x00\x00\x9d\x01\x2a\x80\x02\x68\x01", (640, 360)),
        (b"\x11\x00\x00\x9d\x01\x2a\x80\x02\x68\x01", None),
        (b"\x10\x00\x00\x9d\x01\x2a\x80\x02", None),
        (b"", None),
    ],
)
def test_the_size_of_a_picture_is_in_its_key_frames(frame: bytes, size: tuple[int, int] | None) -> None:
    assert key_frame_size(frame) == size

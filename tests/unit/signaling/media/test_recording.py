"""What of a stream is recorded."""

from signaling.media.embedded import rtp
from signaling.media.embedded.recording import StreamRecording
from tests.support.media_streams import Published


class Noted:
    """Takes frames."""

    def __init__(self) -> None:
        self.frames: list[tuple[bytes, int]] = []
        self.closed = False

    def write(self, data: bytes, timestamp: int) -> None:
        self.frames.append((data, timestamp))

    def close(self) -> None:
        self.closed = True


def test_packets_are_put_in_order_and_sound_is_written_as_it_came() -> None:
    published, noted = Published("audio"), Noted()
    recording = StreamRecording(published.stream, noted, 0.0)
    for number in (1, 3, 2, 4, 5):
        published.packet(number)
    assert [data for data, _ in noted.frames] == [b"1", b"2", b"3"]
    steps = [after - before for (_, before), (_, after) in zip(noted.frames, noted.frames[1:], strict=False)]
    assert steps == [3000, 3000]
    recording.close()
    published.packet(6)
    assert noted.closed
    assert len(noted.frames) == 3


def test_a_picture_is_put_together_from_its_packets_and_asked_to_begin_with_a_key_frame() -> None:
    published, noted = Published("video"), Noted()
    StreamRecording(published.stream, noted, 0.0)
    assert published.key_frames == 1
    for number in range(4):
        published.packet(number, payload=b"\x10part", timestamp=number // 2 * 3000, marker=number % 2 * rtp.MARKER)
    assert [data for data, _ in noted.frames] == [b"partpart"]


def test_what_cannot_be_read_is_left_out_and_hurts_nobody() -> None:
    published, noted = Published("video"), Noted()
    StreamRecording(published.stream, noted, 0.0)
    for number in range(3):
        published.packet(number, payload=b"\xff", timestamp=number * 3000)
    assert noted.frames == []


def test_timestamps_go_on_over_their_wrap() -> None:
    published, noted = Published("audio"), Noted()
    recording = StreamRecording(published.stream, noted, 0.0)
    before = recording._unwrapped((1 << 32) - 480)
    assert recording._unwrapped(480) - before == 960
    assert recording._unwrapped((1 << 32) - 480) == before

"""The media server with real callers: aiortc over UDP, sound and picture, with losses."""

import asyncio
import math
import re
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest
from aioice import stun
from aiortc import rtcrtpreceiver, rtcrtpsender

from signaling.media.embedded import connection, peer, rtp
from signaling.media.embedded.allowance import AT_ONCE
from signaling.media.embedded.offer import BadOffer
from signaling.media.embedded.recordings import Recordings
from signaling.media.embedded.room import Stream
from signaling.media.embedded.server import ADDRESSES, CannotRecord, Full, MediaServer, NoSuchRoom
from signaling.media.embedded.sockets import Way
from tests.support.media_caller import MediaCaller, only_loopback
from tests.support.wait import until

PLAYED = 8
"""Frames after which a stream is taken for running: 160 ms."""


class Meeting:
    """A server with one room, and callers in it."""

    def __init__(self) -> None:
        self.changes: list[list[Stream]] = []
        self.recorded: list[bool] = []
        self.left: list[str] = []
        self.callers: list[MediaCaller] = []
        self.server = MediaServer(
            video_bits_per_s=500_000,
            changed=self._changed,
            left=lambda room, leg: self.left.append(leg),
        )
        self.port = self.server.open(["127.0.0.1"], 0)
        self.server.ensure_room("r")

    def record_into(self, folder: Path) -> None:
        """Let rooms be recorded."""
        self.server._recordings = Recordings(folder, connection.monotonic_ms, lambda room: None)

    def _changed(self, room: str, streams: list[Stream], recorded: bool) -> None:
        self.changes.append(streams)
        self.recorded.append(recorded)

    async def caller(self, leg: str, *, sends: str = "", receives: str = "", room: str = "r") -> MediaCaller:
        """Somebody who sends and receives so much of ``a``udio and ``v``ideo."""
        caller = MediaCaller(lambda sdp: self.server.answer(room, leg, f"user-{leg}", sdp))
        self.callers.append(caller)
        kinds = {"a": "audio", "v": "video"}
        caller.send(*(kinds[one] for one in sends))
        caller.receive(*(kinds[one] for one in receives))
        await caller.negotiate()
        return caller


@pytest.fixture
async def meeting(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Meeting]:
    only_loopback(monkeypatch)
    made = Meeting()
    yield made
    for caller in made.callers:
        await caller.close()
    await made.server.close()


def plays(caller: MediaCaller, kind: str, streams: int = 1, frames: int = PLAYED) -> Callable[[], bool]:
    before = caller.played(kind)
    before += [0] * (streams - len(before))
    return lambda: (
        len(caller.played(kind)) == streams
        and all(now - then >= frames for now, then in zip(caller.played(kind), before, strict=True))
    )


async def test_sound_and_picture_of_one_reach_several_others(meeting: Meeting) -> None:
    await meeting.caller("a", sends="av")
    others = [await meeting.caller(leg, receives="av") for leg in "bc"]
    for other in others:
        await until(plays(other, "audio"))
        await until(plays(other, "video"))
    assert meeting.changes == [[Stream("a/0", "user-a", "audio"), Stream("a/1", "user-a", "video")]]
    assert meeting.server.load == 4


async def test_who_comes_later_is_heard_after_a_new_offer_on_the_same_connection(meeting: Meeting) -> None:
    first = await meeting.caller("a", sends="a", receives="a")
    second = await meeting.caller("b", sends="a", receives="a")
    await until(plays(second, "audio"))
    await first.negotiate()
    await until(plays(first, "audio"))
    await meeting.caller("c", sends="a")
    first.receive("audio")
    await first.negotiate()
    await until(plays(first, "audio", streams=2))


async def test_lost_packets_are_repaired_on_both_sides(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in eight is lost on its way in, and one in eight on its way out; at the decoder none is missing for long."""
    count, dropped = {"in": 0, "out": 0}, {"in": 0, "out": 0}

    def loses(way: str) -> bool:
        count[way] += 1
        dropped[way] += count[way] % 8 == 0
        return count[way] % 8 == 0

    def lossy_received(data: bytes, way: Way) -> None:
        # Pictures and their repetitions, but no DTLS, STUN or RTCP.
        is_media = 128 <= data[0] < 192 and not 192 <= data[1] < 224
        if not is_media or not loses("in"):
            received(data, way)

    def lossy_send(*packet: Any) -> None:
        if not loses("out"):
            send(*packet)

    publisher = await meeting.caller("a", sends="v")
    receiver = await meeting.caller("b", receives="v")
    await until(plays(receiver, "video"))
    (slot,) = meeting.server._rooms["r"].peers["b"].slots.values()
    send, received = slot.send, meeting.server._received
    monkeypatch.setattr(slot, "send", lossy_send)
    monkeypatch.setattr(meeting.server._sockets, "_received", lossy_received)
    (stream,) = meeting.server._rooms["r"].peers["a"].inbound.values()
    await until(plays(receiver, "video", frames=60))
    assert min(dropped.values()) > 5
    monkeypatch.undo()
    await until(lambda: not stream.losses)  # whatever was lost on the way in came again
    assert publisher.connected


async def test_without_repetitions_one_lost_packet_stops_the_picture(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above would be passed by a receiver that does not care: it does."""
    await meeting.caller("a", sends="v")
    receiver = await meeting.caller("b", receives="v")
    await until(plays(receiver, "video"))
    (slot,) = meeting.server._rooms["r"].peers["b"].slots.values()
    monkeypatch.setattr(slot, "repeat", lambda lost, now_ms: 0)
    send, packets = slot.send, 0

    def loses_the_first(*packet: Any) -> None:
        nonlocal packets
        packets += 1
        if packets > 1:
            send(*packet)

    slot.send = loses_the_first
    before = receiver.played("video")[0]
    await until(lambda: packets > 30)
    assert receiver.played("video")[0] - before < 10


async def test_receivers_estimate_their_lines_by_the_time_of_sending_that_the_server_writes(meeting: Meeting) -> None:
    """aiortc makes its estimate of nothing else, as browsers do."""
    await meeting.caller("a", sends="v")
    await meeting.caller("b", receives="v")
    line = meeting.server._rooms["r"].peers["b"].downlink.line
    await until(lambda: math.isfinite(line._told))
    assert line._told > 10_000


async def test_who_leaves_is_gone_for_the_others_and_their_section_is_free_for_the_next(meeting: Meeting) -> None:
    leaving = await meeting.caller("a", sends="a")
    listener = await meeting.caller("b", receives="a")
    await until(plays(listener, "audio"))
    await leaving.close()
    await until(lambda: meeting.left == ["a"])
    assert meeting.changes[-1] == []
    await meeting.caller("c", sends="a")
    await listener.negotiate()
    await until(plays(listener, "audio"))


async def test_a_new_connection_of_a_leg_takes_the_place_of_the_old_one(meeting: Meeting) -> None:
    await meeting.caller("a", sends="a")
    listener = await meeting.caller("b", receives="a")
    await until(plays(listener, "audio"))
    await meeting.caller("a", sends="a")
    await listener.negotiate()
    await until(plays(listener, "audio"))
    assert len(meeting.server.streams("r")) == 1
    assert meeting.left == []


async def test_in_an_echo_room_one_hears_oneself_and_gets_a_verdict(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both sides report every 0.1 s, in place of every second.
    monkeypatch.setattr(peer, "REPORT_EVERY_MS", 100)
    for module in (rtcrtpreceiver, rtcrtpsender):
        monkeypatch.setattr(module, "random", SimpleNamespace(random=lambda: -0.4))
    meeting.server.ensure_room("echo", echo=True)
    caller = await meeting.caller("a", sends="a", receives="a", room="echo")
    await until(plays(caller, "audio"))
    await until(lambda: meeting.server.quality("echo", "a").verdict != "unknown")
    quality = meeting.server.quality("echo", "a")
    assert (quality.verdict, quality.loss) == ("good", 0.0)
    assert quality.round_trip_ms is not None


async def test_a_restart_of_ice_keeps_the_connection_and_its_keys(meeting: Meeting) -> None:
    caller = await meeting.caller("a", sends="a")
    await until(lambda: caller.connected)
    offer = caller.connection.localDescription.sdp
    before = await meeting.server.answer("r", "a", "user-a", offer)
    restarted = re.sub("a=ice-ufrag:.*", "a=ice-ufrag:anew", offer)
    after = await meeting.server.answer("r", "a", "user-a", restarted)
    ufrag = re.compile("a=ice-ufrag:(.*)")
    assert ufrag.findall(before) != ufrag.findall(after)
    assert ufrag.findall(await meeting.server.answer("r", "a", "user-a", restarted)) == ufrag.findall(after)
    assert meeting.server._connections["r", "a"].ready


async def test_strangers_on_the_port_disturb_nobody(meeting: Meeting) -> None:
    await meeting.caller("a", sends="a")
    listener = await meeting.caller("b", receives="a")
    await until(plays(listener, "audio"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for first in range(256):
            stranger.sendto(bytes([first]) * 40, ("127.0.0.1", meeting.port))
        for size in range(30):
            stranger.sendto(bytes(size), ("127.0.0.1", meeting.port))
    await until(plays(listener, "audio"))
    assert meeting.left == []


async def test_a_member_who_makes_up_streams_without_end_gets_no_memory_for_them(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libsrtp keeps a context for each SSRC that it has decrypted."""
    monkeypatch.setattr(connection, "SSRCS", 5)
    caller = await meeting.caller("a", sends="a", receives="a")
    await until(lambda: meeting.server._connections["r", "a"].ready)
    (transceiver, *_) = caller.connection.getTransceivers()
    transport = transceiver.sender.transport
    here = meeting.server._connections["r", "a"]
    await until(lambda: here.peer.inbound["0"].packets)
    decrypted: list[bytes | None] = []
    incoming = here._handshake.incoming
    assert incoming is not None
    unprotect = incoming.unprotect

    def noted(data: bytes) -> bytes | None:
        decrypted.append(unprotect(data))
        return decrypted[-1]

    monkeypatch.setattr(incoming, "unprotect", noted)
    for ssrc in range(100, 130):
        await transport._send_rtp(rtp.header(rtp.VERSION_BITS, 96, 1, 0, ssrc) + b"x")
    await until(lambda: len(here._ssrcs) == 5)
    await until(lambda: len(decrypted) > 10)  # its own stream goes on
    assert {one[8:12] for one in decrypted if one is not None} <= here._ssrcs
    assert len(here._ssrcs) == 5


async def test_a_member_who_writes_the_address_of_another_on_a_check_takes_nothing_from_them(meeting: Meeting) -> None:
    await meeting.caller("a", sends="a")
    await meeting.caller("b", receives="a")
    victim, liar = (meeting.server._connections["r", leg] for leg in "ab")
    await until(lambda: victim.ready and liar.ready)
    way = victim.way
    assert way is not None
    check = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    check.attributes["USERNAME"] = f"{liar.credentials.username}:x"
    check.attributes["USE-CANDIDATE"] = None
    check.add_message_integrity(liar.credentials.password.encode())
    meeting.server._received(bytes(check), way)
    assert meeting.server._by_way[way] is victim
    assert liar.way != way
    victim._heard_ms -= connection.ANSWERED_MS  # it has gone, and the port is another's
    meeting.server._received(bytes(check), way)
    assert meeting.server._by_way[way] is liar
    assert way not in victim.ways


async def test_addresses_of_a_connection_are_bounded_and_the_one_in_use_is_kept(meeting: Meeting) -> None:
    await meeting.caller("a", sends="a")
    here = meeting.server._connections["r", "a"]
    await until(lambda: here.ready)
    used = here.way
    assert used is not None
    check = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    check.attributes["USERNAME"] = f"{here.credentials.username}:x"
    check.add_message_integrity(here.credentials.password.encode())
    for port in range(ADDRESSES * 2):
        meeting.server._received(bytes(check), (used[0], ("127.0.0.1", 10_000 + port)))
    assert len(here.ways) == ADDRESSES
    assert used in here.ways
    assert {way for way, whose in meeting.server._by_way.items() if whose is here} == set(here.ways)
    await meeting.server.remove("r", "a")
    assert meeting.server._by_way == {}


@pytest.mark.parametrize(
    "ask",
    [
        lambda server: server.answer("none", "a", "alice", "v=0"),
        lambda server: asyncio.to_thread(server.quality, "r", "nobody"),
        lambda server: asyncio.to_thread(server.mute, "none", "alice", "audio", True),
    ],
)
async def test_what_is_not_there_is_told(meeting: Meeting, ask: Callable[[MediaServer], Awaitable[object]]) -> None:
    with pytest.raises(NoSuchRoom):
        await ask(meeting.server)


async def test_who_offers_without_end_is_told_to_wait(meeting: Meeting) -> None:
    for _ in range(AT_ONCE):
        meeting.server.ensure_room("r")  # one that is empty again is forgotten, and what its legs did is not
        with pytest.raises(BadOffer):
            await meeting.server.answer("r", "a", "user-a", "nonsense")
    meeting.server.ensure_room("r")
    with pytest.raises(Full):
        await meeting.server.answer("r", "a", "user-a", "nonsense")
    assert meeting.server.rooms() == []
    meeting.server.ensure_room("r")
    await meeting.caller("b", sends="a")


async def test_a_bad_offer_leaves_the_connection_as_it_was(meeting: Meeting) -> None:
    await meeting.caller("a", sends="a")
    listener = await meeting.caller("b", receives="a")
    with pytest.raises(BadOffer):
        await meeting.server.answer("r", "a", "user-a", "nonsense")
    await until(plays(listener, "audio"))


async def test_a_client_that_is_silent_is_let_go(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    await meeting.caller("a", sends="a")
    await until(lambda: meeting.server._connections["r", "a"].ready)
    monkeypatch.setattr(connection, "monotonic_ms", lambda: 1e12)
    await until(lambda: meeting.left == ["a"])
    assert meeting.server.rooms() == []


async def test_a_room_is_recorded_into_a_file_for_each_stream(meeting: Meeting, tmp_path: Path) -> None:
    meeting.record_into(tmp_path)
    await meeting.caller("a", sends="av")
    meeting.server.record("r", True)
    meeting.server.record("r", True)
    await meeting.caller("b", sends="a")
    (audio, video) = meeting.server._rooms["r"].peers["a"].inbound.values()
    await until(lambda: audio.packets > 30 and video.packets > 30)
    meeting.server.record("r", False)

    def played() -> dict[str, int]:
        """Frames that can be decoded, of each file."""
        counts = {}
        for path in sorted((tmp_path / "r").iterdir()):
            with av.open(str(path)) as container:
                counts[path.name] = sum(1 for _ in container.decode(container.streams[0]))
        return counts

    await meeting.server.close()
    frames = played()
    assert list(frames) == ["user-a-audio-001.webm", "user-a-video-001.webm", "user-b-audio-001.webm"]
    assert frames["user-a-audio-001.webm"] > 10
    assert frames["user-a-video-001.webm"] > 15


async def test_a_server_without_a_folder_records_nothing(meeting: Meeting) -> None:
    with pytest.raises(CannotRecord):
        meeting.server.record("r", True)


async def test_a_recording_ends_with_its_room(meeting: Meeting, tmp_path: Path) -> None:
    meeting.record_into(tmp_path)
    await meeting.caller("a", sends="a")
    meeting.server.record("r", True)
    await meeting.server.close_room("r")
    assert "r" not in meeting.server._recordings
    await until(lambda: not [one for one in threading.enumerate() if one.name.startswith("recording")])


async def test_who_comes_into_a_room_that_is_recorded_is_told_so(meeting: Meeting, tmp_path: Path) -> None:
    meeting.record_into(tmp_path)
    await meeting.caller("a", sends="a")
    meeting.server.record("r", True)
    before = len(meeting.recorded)
    listener = await meeting.caller("b", receives="a")
    assert meeting.recorded[before:] == [True]
    await listener.negotiate()
    assert meeting.recorded[before:] == [True]  # nobody has to hear it twice

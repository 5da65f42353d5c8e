"""Offers and their answers, as aiortc and browsers write and read them."""

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription, sdp

from signaling.media.embedded import answer, extensions, offer
from signaling.media.embedded.answer import Accepted, Endpoint, Sent
from signaling.media.embedded.codecs import Codec, preferred
from signaling.media.embedded.extensions import Numbers
from signaling.media.embedded.ice_lite import Credentials
from signaling.media.embedded.offer import BadOffer

ENDPOINT = Endpoint(Credentials("ufragufr", "p" * 24), "AA:" * 31 + "AA", ["candidate:1 1 udp 9 127.0.0.1 5 typ host"])
CHROME = """v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1 2
a=extmap-allow-mixed
a=msid-semantic: WMS 5ypwE
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
a=ice-options:trickle
a=fingerprint:sha-256 49:66:12:17:0D:1C:91:AE:57:4C:C6:36:DD:D5:97:D2:7D:62:C9:9A:7F:B9:A3:F4:70:03:E7:43:91:73:23:5E
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendonly
a=msid:5ypwE mic
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:126 telephone-event/8000
a=ssrc:3735928559 cname:x
m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 39
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
a=fingerprint:sha-256 49:66:12:17:0D:1C:91:AE:57:4C:C6:36:DD:D5:97:D2:7D:62:C9:9A:7F:B9:A3:F4:70:03:E7:43:91:73:23:5E
a=setup:actpass
a=mid:1
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendonly
a=msid:5ypwE cam
a=rtcp-mux
a=rtpmap:103 H264/90000
a=rtcp-fb:103 nack
a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:104 rtx/90000
a=fmtp:104 apt=103
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 transport-cc
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:39 AV1/90000
a=ssrc-group:FID 2231627014 632943048
a=ssrc:2231627014 cname:x
a=ssrc:632943048 cname:x
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
a=fingerprint:sha-256 49:66:12:17:0D:1C:91:AE:57:4C:C6:36:DD:D5:97:D2:7D:62:C9:9A:7F:B9:A3:F4:70:03:E7:43:91:73:23:5E
a=setup:actpass
a=mid:2
a=sctp-port:5000
""".replace("\n", "\r\n")


def answered(text: str, *, sent: dict[str, Sent] | None = None) -> str:
    """Take all that is sent, and send as told."""
    sections = [
        Accepted(one, preferred(one.codecs), one.sends, (sent or {}).get(one.mid)) for one in offer.read(text).sections
    ]
    return answer.write(ENDPOINT, sections, 1)


def test_a_browsers_offer_is_understood() -> None:
    read = offer.read(CHROME)
    audio, video, data = read.sections
    assert (read.username, len(read.fingerprints)) == ("EsAw", 1)
    assert (audio.mid, audio.sends, audio.receives, audio.track) == ("0", True, False, "mic")
    assert [one.mime_type for one in audio.codecs] == ["audio/opus", "audio/g722"]
    assert (audio.ssrcs, video.ssrcs) == ((3735928559,), (2231627014, 632943048))
    assert (audio.numbers, video.numbers) == (Numbers(mid=4, loudness=1), Numbers(mid=4, sent_at=2))
    assert preferred(video.codecs) == Codec(
        "video/vp8", 90_000, None, 96, "", ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"), 97
    )
    assert (data.kind, data.sends, data.receives, data.codecs) == ("application", False, False, ())


def test_the_answer_has_one_codec_a_section_and_refuses_a_data_channel() -> None:
    read = sdp.SessionDescription.parse(answered(CHROME))
    audio, video, data = read.media
    assert [one.mimeType for one in audio.rtp.codecs] == ["audio/opus"]
    assert [one.mimeType for one in video.rtp.codecs] == ["video/VP8", "video/rtx"]
    feedback = [f"{one.type} {one.parameter or ''}".strip() for one in video.rtp.codecs[0].rtcpFeedback]
    assert feedback == ["goog-remb", "ccm fir", "nack", "nack pli"]
    assert (audio.direction, video.direction, data.port) == ("recvonly", "recvonly", 0)
    assert read.group[0].items == ["0", "1"]
    assert audio.ice is not None
    assert audio.ice.iceLite
    assert audio.dtls is not None
    assert audio.dtls.role == "server"


@pytest.mark.parametrize("direction", ["sendonly", "recvonly", "sendrecv"])
async def test_aiortc_takes_the_answer(direction: str) -> None:
    connection = RTCPeerConnection()
    for kind in ("audio", "video"):
        connection.addTransceiver(kind, direction=direction)
    await connection.setLocalDescription(await connection.createOffer())
    sent = {} if direction == "sendonly" else {"0": Sent("alice a/0", 5, 6, "c"), "1": Sent("alice a/1", 7, 8, "c")}
    text = answered(connection.localDescription.sdp, sent=sent)
    await connection.setRemoteDescription(RTCSessionDescription(text, "answer"))
    current = [one.currentDirection for one in connection.getTransceivers()]
    await connection.close()
    assert current == [direction] * 2


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("m=audio 9", "m=audio x", "cannot be read"),
        ("a=ice-ufrag:EsAw", "a=x", "ice-ufrag"),
        ("a=fingerprint", "a=x", "fingerprint"),
        ("a=setup:actpass", "a=setup:passive", "passive"),
        ("a=mid:1", "a=mid:0", "mid of its own"),
        ("a=mid:1", "a=x", "mid of its own"),
        ("a=mid:1", "a=mid:1 2", "mid of its own"),
        ("a=mid:1", "a=mid:" + "1" * 17, "mid of its own"),
        ("a=ssrc:3735928559", "a=ssrc:4294967296", "32 bits"),
        ("a=ssrc:3735928559", "a=ssrc:-1", "32 bits"),
        ("FID 2231627014 632943048", "FID 2231627014 4294967296", "32 bits"),
        ("a=rtpmap:96 VP8/90000", "a=rtpmap:300 VP8/90000\r\na=rtpmap:96 VP8/90000", "payload type"),
        ("a=rtpmap:96 VP8/90000", "a=rtpmap:-1 VP8/90000\r\na=rtpmap:96 VP8/90000", "payload type"),
        ("a=rtpmap:39 AV1/90000", "a=rtpmap:72 AV1/90000", "payload type"),
        ("opus/48000/2", "opus/0/2", "clock rate"),
        ("opus/48000/2", "opus/" + "9" * 400 + "/2", "clock rate"),
        ("a=fmtp:97 apt=96", "a=fmtp:55 apt=96", "cannot be read"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason(before: str, after: str, why: str) -> None:
    with pytest.raises(BadOffer, match=why):
        offer.read(CHROME.replace(before, after))


@pytest.mark.parametrize("text", ["", "v=0", "\x00", "m=audio 9 UDP/TLS/RTP/SAVPF 300\r\n", "a=setup:x"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(BadOffer):
        offer.read(text)


def test_an_offer_of_very_many_sections_is_refused() -> None:
    section = CHROME[CHROME.index("m=audio") : CHROME.index("m=video")]
    with pytest.raises(BadOffer, match="more than"):
        offer.read(CHROME + "".join(section.replace("mid:0", f"mid:x{number}") for number in range(200)))


@pytest.mark.parametrize(
    "lines",
    [
        [f"a=rtpmap:{number} x/8000" for number in range(81)],
        ["a=rtpmap:96 x/8000", *["a=rtcp-fb:96 nack"] * 401],
        ["a=rtpmap:96 x/8000", *["a=rtcp-fb:* nack"] * 9],
        [f"a=ssrc:{number} cname:x" for number in range(81)],
        ["a=fingerprint:sha-256 AA"] * 9,
        ["m=audio 9 UDP/TLS/RTP/SAVPF 0"] * 128,
    ],
)
def test_an_offer_that_takes_long_to_read_is_refused_before_it_is_read(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = sdp.SessionDescription.parse
    monkeypatch.setattr(sdp.SessionDescription, "parse", lambda text: pytest.fail("it is read"))
    head = ["v=0", "m=audio 9 UDP/TLS/RTP/SAVPF 96"]
    with pytest.raises(BadOffer, match="more than"):
        offer.read("\r\n".join(head + lines))
    monkeypatch.setattr(sdp.SessionDescription, "parse", read)
    one_less = head + lines[:-1]
    with pytest.raises(BadOffer, match=r"cannot be read|has no"):
        offer.read("\r\n".join(one_less))


def test_an_offer_that_sends_very_much_is_refused() -> None:
    section = CHROME[CHROME.index("m=audio") : CHROME.index("m=video")]
    more = "".join(section.replace("mid:0", f"mid:x{number}") for number in range(offer.SENDING - 2))
    assert len(offer.read(CHROME + more).sections) == offer.SENDING + 1
    with pytest.raises(BadOffer, match="send"):
        offer.read(CHROME + more + section.replace("mid:0", "mid:y"))
    idle = section.replace("mid:0", "mid:y").replace("sendonly", "recvonly")
    assert len(offer.read(CHROME + more + idle).sections) == offer.SENDING + 2


def test_the_answer_takes_what_the_server_reads_and_offers_what_it_writes() -> None:
    receives = answered(CHROME.replace("sendonly", "recvonly"), sent={"1": Sent("alice a/1", 7, 8, "c")})
    sends = answered(CHROME)
    numbers = [
        [{one.uri: one.id for one in media.rtp.headerExtensions} for media in sdp.SessionDescription.parse(text).media]
        for text in (sends, receives)
    ]
    assert numbers == [
        [{extensions.MID: 4, extensions.LOUDNESS: 1}, {extensions.MID: 4}, {}],
        [{extensions.LOUDNESS: 1}, {extensions.SENT_AT: 2}, {}],
    ]


def h264(parameters: str) -> Codec:
    return Codec("video/h264", 90_000, None, 99, parameters, (), None)


def test_h264_is_played_by_who_has_its_profile_and_packetization_at_any_level() -> None:
    sent = h264("packetization-mode=1;profile-level-id=42e01f")
    assert h264("profile-level-id=42E034; packetization-mode=1").plays(sent)
    assert not h264("packetization-mode=1;profile-level-id=64001f").plays(sent)
    assert not h264("profile-level-id=42e01f").plays(sent)


def test_vp8_is_asked_for_where_there_is_a_choice_and_else_h264_in_fragments() -> None:
    single, fragments = h264(""), h264("packetization-mode=1")
    vp8 = Codec("video/vp8", 90_000, None, 96, "", (), None)
    assert preferred([fragments, vp8]) == vp8
    assert preferred([single, fragments]) == fragments
    assert preferred([single]) == single
    assert preferred([]) is None

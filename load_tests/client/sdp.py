"""Session descriptions and candidates as a browser would signal them, of the size that they have there.

Nobody connects to them: the address is one that is kept for documentation (RFC 5737).
"""

import random

from load_tests.measures.stamp import Stamp

ADDRESS = "192.0.2.7"
HEX = "0123456789ABCDEF"


UNNAMED = "s=-"


def description(draw: random.Random, *, setup: str) -> str:
    """An audio section with Opus. ``setup`` is that of DTLS (RFC 5763)."""
    fingerprint = ":".join(draw.choice(HEX) + draw.choice(HEX) for _ in range(32))
    lines = [
        "v=0",
        f"o=- {draw.getrandbits(62)} 2 IN IP4 127.0.0.1",
        UNNAMED,
        "t=0 0",
        "a=group:BUNDLE 0",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS *",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        f"a=ice-ufrag:{draw.getrandbits(16):04x}",
        f"a=ice-pwd:{draw.getrandbits(96):024x}",
        "a=ice-options:trickle",
        f"a=fingerprint:sha-256 {fingerprint}",
        f"a=setup:{setup}",
        "a=mid:0",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtpmap:111 opus/48000/2",
        "a=rtcp-fb:111 transport-cc",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        f"a=ssrc:{draw.getrandbits(32)} cname:{draw.getrandbits(64):016x}",
    ]
    return "\r\n".join(lines) + "\r\n"


def stamped(description: str, stamp: Stamp) -> str:
    """A description whose session has no name, with the stamp as its name (``s=``)."""
    return description.replace(UNNAMED, f"s={stamp}", 1)


def candidate(draw: random.Random) -> dict[str, object]:
    """A host candidate, as RTCIceCandidateInit."""
    text = f"candidate:1 1 udp 2122260223 {ADDRESS} {draw.randint(1024, 65535)} typ host generation 0"
    return {"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0}

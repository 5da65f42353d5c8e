"""The private names of aiortc and pylibsrtp are as signaling/media/embedded/seams.py believes.

Each test fails when a new version moves what it names.
"""

import asyncio
import ctypes
import inspect
import os
import re
from importlib.metadata import version

import aioice.ice
import pytest
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from pylibsrtp import Policy, Session

from hub.kernel.tasks import Tasks
from signaling.media.embedded import rtp
from signaling.media.embedded.seams import (
    LONGEST,
    OVERHEAD,
    WAITING,
    Cipher,
    Handshake,
    _Datagrams,
    certificate,
    place,
)
from tests.support.wait import until


def test_the_version_of_aiortc_is_one_that_was_looked_at() -> None:
    assert version("aiortc").startswith("1.16.")
    assert version("pylibsrtp").startswith("1.0")


def test_the_transport_uses_no_more_of_ice_than_we_give_it() -> None:
    source = inspect.getsource(RTCDtlsTransport)
    assert set(re.findall(r"self\.transport\.(\w+)", source)) == {"_recv", "_send", "role"}
    assert all(hasattr(_Datagrams, name) for name in ("_recv", "_send", "role"))


def test_the_addresses_of_the_machine_are_asked_of_aioice() -> None:
    assert list(inspect.signature(aioice.ice.get_host_addresses).parameters) == ["use_ipv4", "use_ipv6"]


class Link:
    """A client's transport of aiortc and our handshake, wired to each other."""

    def __init__(self) -> None:
        self.changes = 0
        self.tasks = Tasks()
        ours, self.fingerprint = certificate()
        self.server = Handshake(ours, self._to_client, self._changed)
        self.to_client = _Datagrams(self.server.datagram)
        self.certificate = RTCCertificate.generateCertificate()
        self.client = RTCDtlsTransport(self.to_client, [self.certificate])  # type: ignore[arg-type]
        self.client._set_role("client")

    def _to_client(self, data: bytes) -> None:
        self.to_client.put(data)

    def _changed(self) -> None:
        self.changes += 1

    async def shake(self, value: str | None = None) -> None:
        theirs = value or self.certificate.getFingerprints()[0].value
        self.server.start(self.tasks, [("sha-256", theirs)])
        await self.client.start(RTCDtlsParameters([RTCDtlsFingerprint("sha-256", self.fingerprint)], "server"))

    async def close(self) -> None:
        await self.server.close()
        await self.client.stop()
        await self.tasks.close()


async def test_both_sides_have_keys_after_the_handshake_and_understand_each_other() -> None:
    link = Link()
    await link.shake()
    await until(lambda: link.server.outgoing)
    assert link.changes == 1
    assert link.server.outgoing is not None
    assert link.server.incoming is not None
    header, payload = rtp.header(rtp.VERSION_BITS, 96, 1, 2, 3), os.urandom(1200)
    encrypted = sealed(link.server.outgoing, header + payload)
    assert encrypted is not None
    assert link.client._rx_srtp.unprotect(encrypted) == header + payload
    assert link.server.incoming.unprotect(link.client._tx_srtp.protect(header + payload)) == header + payload
    report = bytes([0x80, 201, 0, 1]) + bytes(4)
    control = link.server.outgoing.protect_control(report)
    assert control is not None
    assert link.client._rx_srtp.unprotect_rtcp(bytes(control)) == report
    assert link.server.incoming.unprotect_control(link.client._tx_srtp.protect_rtcp(report)) == report
    await link.close()


async def test_a_client_with_another_certificate_gets_no_keys() -> None:
    link = Link()
    await link.shake(":".join(["AA"] * 32))
    await until(lambda: link.server.closed)
    assert (link.changes, link.server.outgoing) == (1, None)
    await link.close()


async def test_the_end_is_told_once_whoever_makes_it() -> None:
    link = Link()
    await link.shake()
    await until(lambda: link.server.outgoing)
    await link.client.stop()
    await until(lambda: link.server.closed)
    assert (link.changes, link.server.outgoing) == (2, None)
    await link.close()
    assert link.changes == 2


async def test_a_handshake_that_never_begins_ends_when_it_is_closed() -> None:
    link = Link()
    link.server.start(link.tasks, [("sha-256", "AA")])
    await asyncio.sleep(0)
    for _ in range(WAITING * 2):  # nobody reads: the rest is dropped
        link.server.datagram(b"\x16")
    await link.server.close()
    await until(lambda: link.server.closed)
    await link.close()


def sealed(outgoing: Cipher, packet: bytes) -> bytes | None:
    """The packet, encrypted in a place of its own."""
    memory, length = ctypes.create_string_buffer(packet, LONGEST + OVERHEAD), ctypes.c_int(len(packet))
    is_done = outgoing.protect_at(place(ctypes.addressof(memory), ctypes.addressof(length)))
    return memory.raw[: length.value] if is_done else None


def cipher() -> Cipher:
    key = os.urandom(30)
    return Cipher(Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND)))


@pytest.mark.parametrize("size", [0, 1, 11, 12, 40, LONGEST, LONGEST + 1, 65_000])
def test_forged_bytes_of_any_length_are_no_packet(size: int) -> None:
    assert cipher().unprotect(os.urandom(size)) is None
    assert cipher().unprotect_control(os.urandom(size)) is None


def test_what_is_too_long_is_not_sent() -> None:
    key = os.urandom(30)
    outgoing = Cipher(Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND)))
    assert outgoing.protect_control(bytes(LONGEST + 1)) is None
    longest = rtp.header(rtp.VERSION_BITS, 96, 1, 2, 3) + bytes(LONGEST - rtp.HEADER_BYTES)
    encrypted = sealed(outgoing, longest)
    assert encrypted is not None
    assert LONGEST < len(encrypted) <= LONGEST + OVERHEAD


def test_what_is_no_packet_is_not_encrypted() -> None:
    assert sealed(cipher(), b"short") is None

"""The server's side of ICE, as a *lite* agent: it answers connectivity checks and makes none. Without I/O.

A server has public addresses, so the client's checks find the way, and the client alone decides on it. One UDP port
serves all clients: the username of a check says whose it is. Another address of the same client (another network) is
taken over as soon as the client nominates it; no restart is needed for that.

Checks are read and answered here, and not by a library for all of STUN: whoever reaches the port may send them, and a
leg does so every 2.5 s. So they cost a fifth, which was a tenth of what a sound costs its receiver.

Sources: RFC 8445, sections 2.5, 6.1.1 and 7.3; RFC 8489, sections 5, 9.1 and 14.
"""

import hmac
import secrets
import socket
import string
import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple

Address = tuple[str, int]
_LETTERS = string.ascii_letters + string.digits
USERNAME_LENGTH = 8
PASSWORD_LENGTH = 24
HIGHEST_BYTE = 3
"""The first byte of a STUN message on a port with DTLS and SRTP, at most (RFC 7983)."""
_REQUEST, _SUCCESS = 0x0001, 0x0101
"""Of the method Binding."""
_COOKIE = 0x2112A442
_USERNAME, _INTEGRITY, _MAPPED_ADDRESS, _NOMINATION, _FINGERPRINT = 0x0006, 0x0008, 0x0020, 0x0025, 0x8028
_FINGERPRINT_XOR = 0x5354554E
_DIGEST_BYTES = 20
_head = struct.Struct("!HHI12s")
_attribute = struct.Struct("!HH")
_length = struct.Struct("!H")
_integrity = struct.Struct(f"!HH{_DIGEST_BYTES}s")
_fingerprint = struct.Struct("!HHI")
_mapped_head = struct.Struct("!HHBBH")


@dataclass(frozen=True, slots=True)
class Credentials:
    """``ice-ufrag`` and ``ice-pwd`` of one side."""

    username: str
    password: str

    @classmethod
    def random(cls) -> "Credentials":
        """New ones, that nobody can guess."""
        return cls(
            "".join(secrets.choice(_LETTERS) for _ in range(USERNAME_LENGTH)),
            "".join(secrets.choice(_LETTERS) for _ in range(PASSWORD_LENGTH)),
        )


class Check(NamedTuple):
    """A connectivity check that names a username of ours. It is not yet proven: see ``answer``."""

    username: str
    transaction: bytes
    signed: bytes
    """What ``digest`` is of."""
    digest: bytes
    nominates: bool


class Answer(NamedTuple):
    """What to send back. ``nominated``: the client has chosen this address."""

    data: bytes
    nominated: bool


def read(data: bytes) -> Check | None:
    """A check, None for anything else. Raises nothing: these bytes come from anybody."""
    size = len(data)
    if size < _head.size:
        return None
    kind, length, cookie, transaction = _head.unpack_from(data)
    if kind != _REQUEST or cookie != _COOKIE or length != size - _head.size or length % 4:
        return None
    username, nominates, at = b"", False, _head.size
    while at + _attribute.size <= size:
        name, length = _attribute.unpack_from(data, at)
        value = at + _attribute.size
        if name == _INTEGRITY:
            if length != _DIGEST_BYTES or value + length > size:
                return None
            # The digest is over all before it, with the length that the message has with it and nothing behind.
            signed = data[:2] + _length.pack(value + length - _head.size) + data[4:at]
            ours = username.partition(b":")[0].decode("latin-1")
            return Check(ours, transaction, signed, data[value : value + length], nominates)
        if value + length > size:
            return None
        if name == _USERNAME:
            username = data[value : value + length]
        elif name == _NOMINATION:
            nominates = True
        at = value + (length + 3 & ~3)
    return None


def answer(check: Check, credentials: Credentials, address: Address) -> Answer | None:
    """The answer to a check from ``address``; None for one that does not know our password: it gets none."""
    key = credentials.password.encode()
    if not hmac.compare_digest(check.digest, hmac.digest(key, check.signed, "sha1")):
        return None
    mapped = _mapped(address, check.transaction)
    integrity_at = len(mapped) + _integrity.size
    signed = _head.pack(_SUCCESS, integrity_at, _COOKIE, check.transaction) + mapped
    proof = _integrity.pack(_INTEGRITY, _DIGEST_BYTES, hmac.digest(key, signed, "sha1"))
    whole = _head.pack(_SUCCESS, integrity_at + _fingerprint.size, _COOKIE, check.transaction) + mapped + proof
    return Answer(whole + _fingerprint.pack(_FINGERPRINT, 4, zlib.crc32(whole) ^ _FINGERPRINT_XOR), check.nominates)


def _mapped(address: Address, transaction: bytes) -> bytes:
    """XOR-MAPPED-ADDRESS."""
    kind = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    host = socket.inet_pton(kind, address[0].partition("%")[0])
    size, port = len(host), address[1] ^ _COOKIE >> 16
    mask = int.from_bytes((_COOKIE.to_bytes(4) + transaction)[:size])
    hidden = (int.from_bytes(host) ^ mask).to_bytes(size)
    return _mapped_head.pack(_MAPPED_ADDRESS, 4 + size, 0, 1 if size == 4 else 2, port) + hidden


def candidate(address: Address, number: int) -> str:
    """The ``candidate`` attribute of an address of ours. The first is preferred to the others."""
    # RFC 8445, section 5.1.2.1: type preference 126 of a host, local preference, component 1.
    priority = (126 << 24) + ((0xFFFF - number) << 8) + 255
    return f"candidate:{number + 1} 1 udp {priority} {address[0]} {address[1]} typ host"

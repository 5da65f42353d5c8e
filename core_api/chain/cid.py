"""Content identifiers (multiformats CID, versions 0 and 1) of SHA-256 digests, without any dependency."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final, Literal, Self

RAW: Final = 0x55
"""Multicodec of a block that is the bytes themselves."""
DAG_PB: Final = 0x70
"""Multicodec of a block that links to others (core_api/chain/unixfs.py)."""
SHA2_256: Final = b"\x12\x20"
"""Multihash prefix: the function's code, and 32 bytes of digest."""

BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
DIGITS: Final = {character: value for value, character in enumerate(BASE58)}
V0_PATTERN: Final = rf"Qm[{BASE58}]{{44}}"
V1_PATTERN: Final = r"b[a-z2-7]{58}"
"""36 bytes in base 32: version, codec and prefix of the hash have four, all below 0x80."""


class CidError(ValueError):
    """The text is no CID of the kind that we write."""


@dataclass(frozen=True, slots=True)
class Cid:
    """Names a block by what is in it. Two of the same version are equal exactly if their texts are."""

    digest: bytes
    codec: int = RAW
    version: Literal[0, 1] = 1

    @classmethod
    def of(cls, data: bytes, codec: int = RAW, version: Literal[0, 1] = 1) -> Self:
        """The name of a block. Version 0 is for DAG_PB alone."""
        if version == 0 and codec != DAG_PB:
            raise ValueError("a CID of version 0 names no block but DAG_PB")
        return cls(hashlib.sha256(data).digest(), codec, version)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The CID that ``text`` writes: base 58 (version 0), or base 32 in lower case (version 1, RAW or DAG_PB).

        Raises CidError for everything else, also for other spellings of the same CID: one name, one cache entry.
        """
        if re.fullmatch(V0_PATTERN, text):
            return cls(_after(SHA2_256, _from_base58(text), text), DAG_PB, 0)
        if re.fullmatch(V1_PATTERN, text):
            raw = _from_base32(text[1:])
            codec = raw[1]
            if codec not in {RAW, DAG_PB}:
                raise CidError(f"{text} has a codec that is not served here")
            cid = cls(_after(bytes([1, codec]) + SHA2_256, raw, text), codec, 1)
            if str(cid) == text:  # base 32 of 36 bytes leaves two bits over, which must not be set
                return cid
        raise CidError("not a CID: base 58 of version 0, or base 32 of version 1, with SHA-256")

    def __bytes__(self) -> bytes:
        """The binary form, as links have it."""
        multihash = SHA2_256 + self.digest
        return multihash if self.version == 0 else b"\x01" + bytes([self.codec]) + multihash

    def __str__(self) -> str:
        if self.version == 0:
            return _base58(bytes(self))
        return "b" + base64.b32encode(bytes(self)).decode().lower().rstrip("=")

    def names(self, data: bytes) -> bool:
        """Whether this is the name of a block with this content."""
        return hashlib.sha256(data).digest() == self.digest


def _after(prefix: bytes, raw: bytes, text: str) -> bytes:
    """The 32 bytes of digest behind ``prefix``."""
    if not raw.startswith(prefix) or len(raw) != len(prefix) + 32:
        raise CidError(f"{text} is not a CID with SHA-256")
    return raw[len(prefix) :]


def _from_base32(text: str) -> bytes:
    try:
        return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except binascii.Error as error:
        raise CidError(f"not base 32: {error}") from None


def _base58(raw: bytes) -> str:
    """Base 58 of bytes that do not begin with zero: a multihash begins with its function."""
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return text


def _from_base58(text: str) -> bytes:
    number = 0
    for character in text:
        number = number * 58 + DIGITS[character]
    return number.to_bytes((number.bit_length() + 7) // 8, "big")

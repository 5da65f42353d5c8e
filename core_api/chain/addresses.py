"""Ethereum addresses: 20 bytes inside, ``0x`` and 40 hex digits outside, their case a checksum (EIP-55)."""

import re
from typing import Annotated, Final

from msgspec import Meta

from hub.kernel.errors import InvalidPayload
from hub.kernel.wire import END

HEX: Final = re.compile(r"0x[0-9a-fA-F]{40}")
AddressText = Annotated[str, Meta(pattern=rf"^{HEX.pattern}{END}", description="Ethereum address, case as in EIP-55")]


def keccak(data: bytes) -> bytes:
    """Keccak-256, the hash of Ethereum (SHA-3 as it was before NIST changed its padding, so hashlib has none).

    The first call imports pycryptodome (0.15 s): make it in a thread. After that one takes 10 µs.
    """
    from eth_hash.auto import keccak as digest  # noqa: PLC0415 imported at first use

    return bytes(digest(data))


def shown(address: bytes) -> str:
    """An address with its checksum. Calls :func:`keccak`."""
    digits = address.hex()
    checks = keccak(digits.encode()).hex()
    pairs = zip(digits, checks, strict=False)
    return "0x" + "".join(digit.upper() if check > "7" else digit for digit, check in pairs)


def parse(text: str, pointer: str = "/address") -> bytes:
    """The bytes of an address. Calls :func:`keccak`.

    Raises InvalidPayload at ``pointer`` for other text, and for mixed case with a wrong checksum: somebody mistyped,
    and what they meant is another address. One case throughout carries no checksum and is taken.
    """
    fault = None
    if HEX.fullmatch(text) is None:
        fault = "Not an Ethereum address: 0x and 40 hex digits"
    elif text[2:] not in {text[2:].lower(), text[2:].upper()} and text != shown(bytes.fromhex(text[2:])):
        fault = "The checksum of this address (EIP-55) is wrong"
    if fault is not None:
        raise InvalidPayload(f"{fault} (at {pointer})", errors=[{"pointer": pointer, "detail": fault}])
    return bytes.fromhex(text[2:])

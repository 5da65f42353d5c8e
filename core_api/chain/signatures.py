"""Who signed a text with an Ethereum key (EIP-191 ``personal_sign``): the address is recovered from the signature."""

from typing import Final

from core_api.chain.addresses import keccak

SIGNATURE_BYTES: Final = 65
"""``r`` and ``s`` of 32 bytes each, and ``v``."""
ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Of the curve secp256k1."""
RECOVERY: Final = {0: 0, 1: 1, 27: 0, 28: 1}
"""``v`` as wallets write it: most 27 or 28, hardware wallets 0 or 1. EIP-155 values are of transactions."""


def digest(text: str) -> bytes:
    """What a wallet signs where it is asked to sign ``text``: never the hash of a transaction."""
    message = text.encode()
    return keccak(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message)


def signer(message_digest: bytes, signature: bytes) -> bytes | None:
    """The address whose key made ``signature``, ``None`` if no key can have.

    Of the two signatures that everybody can make of one, ``s`` and its negative, only the lower is taken, as in
    Ethereum (EIP-2): else one proof would have two forms. 0.1 ms; the first call imports for 0.1 s, so make it in a
    thread.
    """
    from coincurve import PublicKey  # noqa: PLC0415 imported at first use

    if len(signature) != SIGNATURE_BYTES or (recovery := RECOVERY.get(signature[64])) is None:
        return None
    if int.from_bytes(signature[32:64], "big") > ORDER // 2:
        return None
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes([recovery]), message_digest, hasher=None)
    except ValueError:  # r is the x of no point of the curve, or out of range
        return None
    return keccak(key.format(compressed=False)[1:])[-20:]

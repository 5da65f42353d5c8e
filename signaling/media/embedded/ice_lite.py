"""The server's side of ICE, as a *lite* agent: it answers connectivity checks and makes none. Without I/O.

A server has public addresses, so the client's checks find the way, and the client alone decides on it. One UDP port
serves all clients: the username of a check says whose it is. Another address of the same client (another network) is
taken over as soon as the client nominates it; no restart is needed for that.

Sources: RFC 8445, sections 2.5, 6.1.1 and 7.3; RFC 8489, section 9.1.
"""

import secrets
import string
from dataclasses import dataclass

from aioice import stun

Address = tuple[str, int]
_LETTERS = string.ascii_letters + string.digits
USERNAME_LENGTH = 8
PASSWORD_LENGTH = 24
HIGHEST_BYTE = 3
"""The first byte of a STUN message on a port with DTLS and SRTP, at most (RFC 7983)."""


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


@dataclass(frozen=True, slots=True)
class Check:
    """A connectivity check that names a username of ours. It is not yet proven: see ``answer``."""

    message: stun.Message
    username: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back. ``nominated``: the client has chosen this address."""

    data: bytes
    nominated: bool


def read(data: bytes) -> Check | None:
    """A check, None for anything else. Raises nothing: these bytes come from anybody."""
    try:
        message = stun.parse_message(data)
        if message.message_class != stun.Class.REQUEST or message.message_method != stun.Method.BINDING:
            return None
        username = str(message.attributes["USERNAME"])
    except Exception:  # the parser is another's and raises what went wrong in it (struct.error, …); the port is open
        return None
    return Check(message, username.partition(":")[0])


def answer(check: Check, credentials: Credentials, address: Address) -> Answer | None:
    """The answer to a check from ``address``; None for one that does not know our password: it gets none."""
    key = credentials.password.encode()
    if not check.message.check_message_integrity(key):
        return None
    response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, check.message.transaction_id)
    response.attributes["XOR-MAPPED-ADDRESS"] = address
    response.add_message_integrity(key)
    return Answer(bytes(response), "USE-CANDIDATE" in check.message.attributes)


def candidate(address: Address, number: int) -> str:
    """The ``candidate`` attribute of an address of ours. The first is preferred to the others."""
    # RFC 8445, section 5.1.2.1: type preference 126 of a host, local preference, component 1.
    priority = (126 << 24) + ((0xFFFF - number) << 8) + 255
    return f"candidate:{number + 1} 1 udp {priority} {address[0]} {address[1]} typ host"

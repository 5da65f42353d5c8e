"""Accounts and sessions as the database keeps them, and the rules of names and addresses. No I/O."""

import ipaddress
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hub.kernel.ids import SessionId, UserId

Status = Literal["active", "suspended"]
StaffRole = Literal["user", "moderator", "admin"]

RESERVED_USERNAMES = frozenset(
    {
        "admin", "administrator", "anonymous", "api", "help", "hub", "moderator", "official", "root", "security",
        "sparkle", "staff", "support", "system",
    }
)  # fmt: skip
"""Names that would pass for the operator. They are answered as taken."""
MAX_USER_AGENT = 200
"""Characters kept: enough to name browser and system in the list of sessions."""


@dataclass(frozen=True, slots=True)
class Account:
    """One person's account, without the password."""

    id: UserId
    email: str
    username: str
    display_name: str
    bio: str
    status: Status
    role: StaffRole
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in and the state of its refresh tokens."""

    id: SessionId
    user_id: UserId
    user_agent: str
    address_prefix: str
    created_at: datetime
    refreshed_at: datetime
    refresh_seed: bytes
    refresh_generation: int
    ended_at: datetime | None = None
    number: int = 0
    """Its place in the list of sessions, given by the store: later ones are higher."""


def name_key(name: str) -> str:
    """What is compared where two names or addresses must not be the same: ``Ada`` and ``ADA`` are."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def address_prefix(address: str) -> str:
    """The network of an address (IPv4 /24, IPv6 /48), for the list of sessions; empty if it is no address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # a Unix socket has no address
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False))


def printable(user_agent: str) -> str:
    """A user agent that can be stored and shown: headers may carry bytes that are no text at all."""
    text = user_agent.encode("utf-8", "replace").decode()
    return "".join(character for character in text if character.isprintable())[:MAX_USER_AGENT]

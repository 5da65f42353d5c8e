"""Settings of accounts, with their defaults."""

from typing import Annotated

import msgspec
from msgspec import Meta

Positive = Annotated[int, Meta(ge=1)]


class AccountsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may choose. Lives in seconds, memory in KiB."""

    issuer: str = "sparkle-hub"
    audience: str = "sparkle-hub"
    access_token_s: Positive = 600
    """Access tokens cannot be called back one by one: short, and refreshed often."""
    refresh_idle_s: Positive = 30 * 86_400
    """A session that was not refreshed for so long has ended."""
    refresh_absolute_s: Positive = 90 * 86_400
    """A session ends so long after the sign-in, however busy it is."""
    refresh_grace_s: Annotated[int, Meta(ge=0)] = 30
    """How long a replaced refresh token still gives its successor: two tabs, or an answer lost on the way."""

    argon2_memory_kib: Annotated[int, Meta(ge=8)] = 19_456
    argon2_passes: Positive = 2
    argon2_lanes: Positive = 1
    """19 MiB, 2 passes, 1 lane: the OWASP minimum for argon2id, 25 to 50 ms of one core."""
    hash_workers: Positive = 2
    hash_queue: Annotated[int, Meta(ge=0)] = 32
    """Passwords that may wait for a worker: about a second of work for two. More are refused."""

    sign_ups_per_minute: Positive = 60
    """Of one address. Schools and offices share one."""
    sign_ins_per_minute: Positive = 120
    """Of one address."""
    sign_ins_per_minute_account: Positive = 10
    """Of one account, from anywhere: an owner who mistypes never notices, a guesser gets 14 400 tries a day."""

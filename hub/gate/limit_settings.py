"""What an operator can set of rate limits."""

from typing import Annotated

import msgspec
from msgspec import Meta

from hub.kernel.limits import Limit

EVERYTHING = "*"
OFF = "off"
FORM = "NAME=PER_MINUTE/BURST or NAME=off"


class LimitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Changes of the limits that are declared.

    Events declare them (``limit`` in wire.json), routes (``x-limit`` in openapi.json) and root fields of GraphQL
    (``@rateLimit`` in schema.graphql).
    """

    overrides: tuple[str, ...] = ()
    """``room:send=1200/200`` (a minute, at once), ``typing:start=off``, ``POST /posts=60/10``,
    ``graphql:posts=60/10``. ``*`` stands for all that are not named, ``(unknown)`` for events that do not exist."""
    address_users: Annotated[int, Meta(ge=0)] = 200
    """An address may do as much as so many users: offices and schools share one. 0 limits no address, which a hub
    behind a balancer needs; those in ``SPARKLE_SOCKETS_UNCAPPED_ADDRESSES`` are never limited."""

    def changes(self) -> dict[str, Limit | None]:
        """The overrides by name; ``None``: no limit. Raises ValueError that names what does not fit."""
        changes: dict[str, Limit | None] = {}
        for text in self.overrides:
            name, equals, allowance = (part.strip() for part in text.rpartition("="))
            if not equals or not name:
                raise ValueError(f"{text!r} is not {FORM}")
            if name in changes:
                raise ValueError(f"{name!r} is named twice")
            changes[name] = None if allowance == OFF else _limit(text, allowance)
        return changes


def _limit(text: str, allowance: str) -> Limit:
    per_minute, _, burst = allowance.partition("/")
    if not (per_minute.isdecimal() and burst.isdecimal()):
        raise ValueError(f"{text!r} is not {FORM}")
    try:
        return Limit(int(per_minute), int(burst))
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None

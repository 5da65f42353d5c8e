"""The rule of who sees and calls whom, without I/O: privacy settings and blocks, and what they leave."""

from dataclasses import dataclass
from enum import StrEnum

from hub.kernel.sight import Visibility


class Audience(StrEnum):
    """For whom something of a person is."""

    EVERYONE = "everyone"
    FRIENDS = "friends"
    """Those whom the person follows, and who follow the person."""
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Privacy:
    """What a person has chosen."""

    presence: Audience = Audience.EVERYONE
    last_seen: Audience = Audience.EVERYONE
    calls: Audience = Audience.EVERYONE


@dataclass(frozen=True, slots=True)
class VersionedPrivacy:
    """The same with how often they have chosen anew."""

    privacy: Privacy
    version: int


@dataclass(frozen=True, slots=True)
class Relation:
    """How two different people stand to each other. Both are the same in either direction."""

    blocked: bool = False
    """Either blocks the other."""
    friends: bool = False
    """Each follows the other."""


def visibility(privacy: Privacy, relation: Relation) -> Visibility:
    """What somebody else sees of a person with these settings.

    Last seen is a part of presence: whoever may not see the one does not see the other.
    """
    if relation.blocked or not _is_for(privacy.presence, relation):
        return Visibility.NOTHING
    return Visibility.EVERYTHING if _is_for(privacy.last_seen, relation) else Visibility.STATUS


def may_call(privacy: Privacy, relation: Relation) -> bool:
    """Whether somebody else may call a person with these settings."""
    return not relation.blocked and _is_for(privacy.calls, relation)


def _is_for(audience: Audience, relation: Relation) -> bool:
    return audience is Audience.EVERYONE or (audience is Audience.FRIENDS and relation.friends)

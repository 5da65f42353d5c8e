"""The wire of companions as they are made, listed and changed: /ai/companions and its templates."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from core_api.storable import VisibleText
from hub.kernel.wire import Uuid, Wire

Trait = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[VisibleText, Meta(min_length=1, max_length=60)]
Style = Annotated[VisibleText, Meta(min_length=1, max_length=60)]
Interests = Annotated[list[Annotated[VisibleText, Meta(min_length=1, max_length=60)]], Meta(max_length=20)]
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""In the cursor of lists: the number of the last row."""


class GivenTraits(Wire):
    """The Big Five as somebody gives them; for those left out the hub draws a value, once and for all."""

    openness: Trait | None = None
    conscientiousness: Trait | None = None
    extraversion: Trait | None = None
    agreeableness: Trait | None = None
    neuroticism: Trait | None = None


class Traits(Wire):
    """The Big Five of a companion, each from 0 to 1."""

    openness: Trait
    conscientiousness: Trait
    extraversion: Trait
    agreeableness: Trait
    neuroticism: Trait


class CompanionFields(Wire):
    """A companion as its owner makes it."""

    name: Name
    personality_traits: GivenTraits = msgspec.field(default_factory=GivenTraits)
    avatar_style: Style | None = None
    voice_id: Style | None = None
    interests: Interests = msgspec.field(default_factory=list)


class CompanionChanges(Wire):
    """The fields of a companion to change; what is left out stays.

    ``personalityTraits`` replaces all five: those left out in it get the values that the hub drew.
    """

    name: Name | UnsetType = UNSET
    personality_traits: GivenTraits | UnsetType = UNSET
    avatar_style: Style | UnsetType | None = UNSET
    voice_id: Style | UnsetType | None = UNSET
    interests: Interests | UnsetType = UNSET


class CompanionView(Wire):
    """A companion. ``tone`` and ``quirks`` are how its personality shows, in words of the hub."""

    id: Uuid
    name: str
    personality_traits: Traits
    tone: list[str]
    quirks: list[str]
    avatar_style: str | None
    voice_id: str | None
    interests: list[str]
    created_at: datetime
    updated_at: datetime


class TemplateView(Wire):
    """A companion to start from: send the fields, changed or not, to ``POST /ai/companions``."""

    id: str
    description: str
    fields: CompanionFields


class TemplateList(Wire):
    """All templates."""

    data: list[TemplateView]

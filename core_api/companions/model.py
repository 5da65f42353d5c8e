"""Companions, conversations and messages, and their rules. No I/O."""

from datetime import datetime

import msgspec
from msgspec import UNSET

from core_api.companions.affect import Emotion
from core_api.companions.chat_schema import Ending, Role, Status
from core_api.companions.personality import Personality, personality
from core_api.companions.schema import CompanionChanges, CompanionFields, GivenTraits
from hub.kernel.ids import NodeId, UserId

MAX_TITLE = 80


class Companion(msgspec.Struct, frozen=True, kw_only=True):
    """A companion. ``number`` (its place in the owner's list) is the store's to give."""

    id: str
    number: int = 0
    owner_id: UserId
    name: str
    traits: GivenTraits
    """As given: :attr:`personality` has the others as well."""
    seed: int
    avatar_style: str | None
    voice_id: str | None
    interests: list[str]
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def personality(self) -> Personality:
        """What the given traits and the seed make."""
        return personality(self.traits, self.seed)


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation with a companion; ``last_seq`` is also the number of its messages."""

    id: str
    number: int
    companion_id: str
    title: str
    last_seq: int
    created_at: datetime
    updated_at: datetime


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message of either side."""

    id: str
    seq: int
    role: Role
    text: str
    status: Status
    responder: str | None
    emotion: Emotion | None
    memory_ids: list[str]
    created_at: datetime


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the owner, and the reply to it that a node is about to write."""

    companion_id: str
    owner_id: UserId
    conversation_id: str | None
    """``None`` begins one."""
    message_id: str
    client_id: str | None
    text: str
    reply_id: str
    node_id: NodeId
    deadline_at: datetime
    created_at: datetime


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A reply as it ended."""

    status: Ending
    text: str
    responder: str
    emotion: Emotion | None
    memory_ids: list[str]


class UnderWay(msgspec.Struct, frozen=True, kw_only=True):
    """A reply that has not ended, as the store knows it."""

    reply_id: str
    conversation_id: str
    companion_id: str
    owner_id: UserId
    node_id: NodeId
    deadline_at: datetime
    cancel_asked: bool


def new_companion(companion_id: str, owner_id: UserId, fields: CompanionFields, seed: int, now: datetime) -> Companion:
    """A companion out of what its owner gave."""
    return Companion(
        id=companion_id,
        owner_id=owner_id,
        name=fields.name,
        traits=fields.personality_traits,
        seed=seed,
        avatar_style=fields.avatar_style,
        voice_id=fields.voice_id,
        interests=distinct(fields.interests),
        version=1,
        created_at=now,
        updated_at=now,
    )


def as_changes(fields: CompanionFields) -> CompanionChanges:
    """A whole companion as a change of every field."""
    return CompanionChanges(**{name: getattr(fields, name) for name in CompanionFields.__struct_fields__})


def changed(companion: Companion, changes: CompanionChanges, now: datetime) -> Companion:
    """The companion with what is given in place, one version on. The seed stays, and with it whoever it is."""
    given = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not UNSET}
    if "personality_traits" in given:
        given["traits"] = given.pop("personality_traits")
    if "interests" in given:
        given["interests"] = distinct(given["interests"])
    return msgspec.structs.replace(companion, **given, version=companion.version + 1, updated_at=now)


def distinct(interests: list[str]) -> list[str]:
    """Interests without white space around them and without repeats, in the order given."""
    return list(dict.fromkeys(interest.strip() for interest in interests))


def title_of(message: str) -> str:
    """How a message begins: one line, cut at MAX_TITLE characters."""
    line = " ".join(message.lstrip()[: 4 * MAX_TITLE].split())
    return line if len(line) <= MAX_TITLE else line[: MAX_TITLE - 1].rstrip() + "…"

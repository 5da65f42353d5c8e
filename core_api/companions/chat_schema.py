"""The wire of chats: messages by REST and socket, replies as they stream, conversations as they are read."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

from core_api.companions.affect import Emotion
from core_api.companions.memory_schema import Recalled
from core_api.storable import VisibleText
from hub.kernel.wire import ServerEvent, Uuid, Wire

MAX_MESSAGE = 8_000
"""Characters: three pages. Whoever has more to say wants a document."""
Message = Annotated[VisibleText, Meta(min_length=1, max_length=MAX_MESSAGE)]
ClientId = Annotated[VisibleText, Meta(min_length=1, max_length=64)]
Role = Literal["user", "assistant"]
Status = Literal["generating", "done", "cancelled", "failed"]
Ending = Literal["done", "cancelled", "failed"]
ActionKind = Literal["write_post", "start_document", "call_friend", "seek_help"]


class SuggestedAction(Wire):
    """Something that the owner could do next; ``label`` is for a button."""

    kind: ActionKind
    label: str


class ChatMessage(Wire):
    """What the owner says; without ``conversationId`` it begins a conversation."""

    message: Message
    conversation_id: Uuid | None = None


class ChatReply(Wire):
    """The whole answer. ``messageId`` is that of the reply; ``emotion`` is the feeling in it, if it could be told."""

    conversation_id: Uuid
    message_id: Uuid
    response: str
    responder: str
    emotion: Emotion | None
    suggested_actions: list[SuggestedAction]
    memories: list[Recalled]
    status: Ending


class CompanionChat(Wire):
    """What the owner says, by socket. ``clientId`` makes a repeat harmless: it gets the answer of the first."""

    companion_id: Uuid
    message: Message
    conversation_id: Uuid | None = None
    client_id: ClientId | None = None


class ChatStarted(Wire):
    """The owner's message is stored. ``messageId`` is that of the reply, which follows as events."""

    conversation_id: Uuid
    message_id: Uuid


class CompanionCancel(Wire):
    """Which reply to stop."""

    message_id: Uuid


class CompanionTyping(ServerEvent):
    """A companion begins or ends a reply."""

    event = "companion:typing"
    companion_id: Uuid
    conversation_id: Uuid
    typing: bool


class CompanionDelta(ServerEvent):
    """The next piece of a reply. ``seq`` counts from 1; after ``companion:done`` there is nothing more to add."""

    event = "companion:delta"
    message_id: Uuid
    seq: int
    text: str


class CompanionDone(ServerEvent):
    """A reply has ended; ``text`` is all of it, whichever deltas have come. ``error`` only if it ``failed``."""

    event = "companion:done"
    companion_id: Uuid
    conversation_id: Uuid
    message_id: Uuid
    status: Ending
    text: str
    responder: str
    emotion: Emotion | None
    suggested_actions: list[SuggestedAction]
    memories: list[Recalled]
    error: dict[str, Any] | None = None


class StopReply(ServerEvent):
    """Between nodes: stop writing a reply. It has no name, since no client is ever sent one."""

    message_id: Uuid


class ConversationView(Wire):
    """A conversation; ``title`` is how its first message begins."""

    id: Uuid
    companion_id: Uuid
    title: str
    message_count: int
    created_at: datetime
    updated_at: datetime


class MessageView(Wire):
    """A message of either side. A reply has ``responder``, what wrote it, and the ids of the memories it had.

    A reply with the status ``generating`` has no text yet; that comes as events.
    """

    id: Uuid
    seq: int
    role: Role
    text: str
    status: Status
    responder: str | None
    emotion: Emotion | None
    memory_ids: list[Uuid]
    created_at: datetime

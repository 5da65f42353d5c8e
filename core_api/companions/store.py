"""What companions and their chats keep, as Protocols. Ids are UUID strings; times come from the caller."""

from dataclasses import dataclass
from typing import Protocol

from core_api.companions.chat_schema import Ending
from core_api.companions.model import Companion, Conversation, Exchange, Message, UnderWay, Written
from hub.kernel.ids import UserId


class CompanionStore(Protocol):
    """Companions. Whoever is not the owner finds nothing; a method is one transaction."""

    async def add(self, companion: Companion, *, at_most: int) -> bool:
        """Add a companion, unless its owner has ``at_most`` already; also of several added at once."""
        ...

    async def replace(self, companion: Companion) -> bool:
        """Put ``companion`` in the place of the version before it. False, and nothing changed, if that is not current.

        Compare and set: of several at once with the same version exactly one gets True. Owner, seed and creation time
        stay as they were.
        """
        ...

    async def delete(self, owner_id: UserId, companion_id: str, version: int) -> bool:
        """Delete a companion that is still at this version, with its conversations, messages and memories."""
        ...

    async def companion(self, owner_id: UserId, companion_id: str) -> Companion | None:
        """A companion."""
        ...

    async def companions(self, owner_id: UserId, before: int | None, limit: int) -> list[Companion]:
        """An owner's companions with numbers below ``before``, the newest first."""
        ...


@dataclass(frozen=True, slots=True)
class Begun:
    """Where an exchange stands; ``repeated`` if it is an earlier one with the same client id."""

    conversation_id: str
    reply_id: str
    seq: int
    """Of the reply; the message has the one before."""
    repeated: bool


class ReplyUnderWay(Exception):
    """The companion has not finished its last reply in this conversation."""


class ChatStore(Protocol):
    """Conversations and messages. A method is one transaction.

    A reply is ``generating`` from :meth:`begin` until exactly one :meth:`finish` or :meth:`fail`, by whichever node;
    in a conversation at most one is.
    """

    async def begin(self, exchange: Exchange) -> Begun | None:
        """Store a message of the owner and, ``generating``, the reply that is to come.

        ``None``, and nothing stored, if the owner has no such companion or it no such conversation. Raises
        ReplyUnderWay, also for all but one of several at once. The repeat of a client id stores nothing.
        """
        ...

    async def finish(self, reply_id: str, written: Written) -> bool:
        """End a reply. False, and nothing changed, if it has ended otherwise or is gone.

        A repeat is True: for a call that got no answer, and may have ended the reply.
        """
        ...

    async def fail(self, reply_id: str) -> Ending | None:
        """End a reply whose node will not: ``cancelled`` if that was asked for, else ``failed``.

        ``None`` if it has ended already or is gone: of several who try, one gets the status.
        """
        ...

    async def cancel(self, owner_id: UserId, reply_id: str) -> bool | None:
        """Note that a reply is to be stopped. False if it has ended, ``None`` if the owner has no such reply."""
        ...

    async def under_way(self) -> list[UnderWay]:
        """All replies that are ``generating``, of all nodes."""
        ...

    async def conversation(self, companion_id: str, conversation_id: str) -> Conversation | None:
        """A conversation of this companion."""
        ...

    async def conversations(self, companion_id: str, before: int | None, limit: int) -> list[Conversation]:
        """Conversations with numbers below ``before``, the newest first."""
        ...

    async def messages(self, conversation_id: str, before: int | None, limit: int) -> list[Message]:
        """Messages with a ``seq`` below ``before``, the latest first."""
        ...

"""Talking with a companion: by REST for a whole answer, by socket for one that streams."""

from core_api.companions.chat_schema import ChatMessage, ChatReply, ChatStarted, CompanionChat
from core_api.companions.live import LiveReplies, LiveReply
from core_api.companions.settings import CompanionSettings
from core_api.companions.store import Begun, ChatStore, CompanionStore, ReplyUnderWay
from hub.kernel.errors import Conflict, NotFound
from hub.kernel.events import Actor
from hub.kernel.limits import Limit
from hub.kernel.ports import RateLimiter


class Chats:
    """The use cases of chats. Somebody else's companion, conversation or reply is NotFound.

    One reply at a time in a conversation: what is said meanwhile is refused, not queued, since its answer would be to
    something else. Each reply streams to all devices of the owner, however it was asked for.
    """

    def __init__(
        self,
        companions: CompanionStore,
        store: ChatStore,
        replies: LiveReplies,
        limiter: RateLimiter,
        settings: CompanionSettings,
    ) -> None:
        self._companions = companions
        self._store = store
        self._replies = replies
        self._limiter = limiter
        self.limit = Limit.a_minute(settings.chats_per_minute, settings.chats_burst)
        """What one person may say. Each door has it, and all of them together, GraphQL too, have it here."""

    async def start(self, actor: Actor, message: CompanionChat) -> ChatStarted:
        """Store a message; the reply follows as ``companion:delta`` and ``companion:done``. Raises as :meth:`say`.

        A repeat of a ``clientId`` gets the first answer and starts nothing.
        """
        begun, _ = await self._begin(actor, message.companion_id, message, message.client_id)
        return ChatStarted(conversation_id=begun.conversation_id, message_id=begun.reply_id)

    async def say(self, actor: Actor, companion_id: str, message: ChatMessage) -> ChatReply:
        """Store a message, and give the whole reply once it has ended; ``cancelled`` ones with what there is.

        The message is kept whatever becomes of the reply, and the reply goes on without whoever waits here. Raises
        NotFound, Conflict (a reply is under way), RateLimited, Overloaded, and LanguageModelUnavailable with
        ``conversationId`` and ``messageId``.
        """
        _, reply = await self._begin(actor, companion_id, message, None)
        if reply is None:
            raise RuntimeError("a message without a client id cannot be a repeat")
        return await reply.answer()

    async def cancel(self, actor: Actor, reply_id: str) -> None:
        """Stop a reply, on whichever node it is written. Harmless if it has ended. Raises NotFound."""
        noted = await self._store.cancel(actor.user_id, reply_id)
        if noted is None:
            raise NotFound
        if noted:
            await self._replies.stop(reply_id)

    async def _begin(
        self, actor: Actor, companion_id: str, chat: ChatMessage | CompanionChat, client_id: str | None
    ) -> tuple[Begun, LiveReply | None]:
        companion = await self._companions.companion(actor.user_id, companion_id)
        if companion is None:
            raise NotFound
        key = f"companion-chat:{actor.user_id}"
        await self._limiter.take(key, per_minute=self.limit.per_minute, burst=self.limit.burst)
        try:
            started = await self._replies.begin(companion, chat.message, chat.conversation_id, client_id)
        except ReplyUnderWay:
            message = "The companion is still answering in this conversation. Wait for its reply, or cancel it."
            raise Conflict(message, retry_after=1) from None
        if started is None:
            raise NotFound
        return started

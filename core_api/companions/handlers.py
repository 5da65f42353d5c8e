"""The socket side of companions: companion:chat and companion:cancel."""

from core_api.companions.chat_schema import ChatStarted, CompanionCancel, CompanionChat
from core_api.companions.chats import Chats
from hub.kernel.events import Caller, EventRouter


def companion_events(chats: Chats) -> EventRouter:
    """Chats. What one connection says to one companion is stored in the order it arrived."""
    router = EventRouter()

    async def chat(caller: Caller, payload: CompanionChat) -> ChatStarted:
        return await chats.start(caller, payload)

    async def cancel(caller: Caller, payload: CompanionCancel) -> None:
        await chats.cancel(caller, payload.message_id)

    def by_companion(payload: CompanionChat) -> str:
        return f"companion:{payload.companion_id}"

    router.on("companion:chat", CompanionChat, chat, order=by_companion, limit=chats.limit)
    router.on("companion:cancel", CompanionCancel, cancel)
    return router

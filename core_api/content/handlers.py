"""The socket side of content: content:subscribe and content:unsubscribe."""

from core_api.content.schema import ContentRef, Watching
from core_api.content.subscriptions import Subscriptions
from hub.kernel.events import Caller, EventRouter


def content_events(subscriptions: Subscriptions) -> EventRouter:
    """Watching posts. What one connection does with one post completes in the order it arrived."""
    router = EventRouter(restores={"content": subscriptions.restore})

    async def subscribe(caller: Caller, payload: ContentRef) -> Watching:
        return await subscriptions.subscribe(caller, payload.content_id)

    async def unsubscribe(caller: Caller, payload: ContentRef) -> Watching:
        return await subscriptions.unsubscribe(caller, payload.content_id)

    def by_post(payload: ContentRef) -> str:
        return f"content:{payload.content_id}"

    router.on("content:subscribe", ContentRef, subscribe, bare="contentId", order=by_post)
    router.on("content:unsubscribe", ContentRef, unsubscribe, bare="contentId", order=by_post)
    return router

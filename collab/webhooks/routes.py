"""REST interface of webhooks."""

import msgspec

from collab.webhooks.schema import DeliveryView, NewWebhook, WebhookChanges, WebhookView
from collab.webhooks.service import Webhooks
from hub.kernel.events import Actor
from hub.kernel.http import Reply, RestApi
from hub.kernel.limits import Limit
from hub.kernel.pages import Page, PageQuery
from hub.kernel.wire import Uuid

CHANGES = Limit(per_minute=30, burst=30)


def webhooks_api(webhooks: Webhooks) -> RestApi:
    """Webhooks about documents."""

    async def create(actor: Actor, body: NewWebhook) -> Reply[WebhookView]:
        """Have an address told of what happens to documents"""
        view, secret = await webhooks.create(actor, body)
        return Reply(msgspec.structs.replace(view, secret=secret), location=f"/webhooks/{view.id}", kept=view)

    async def listing(actor: Actor, query: PageQuery) -> Page[WebhookView]:
        """Webhooks of your own"""
        return await webhooks.list(actor, query)

    async def change(actor: Actor, webhook_id: Uuid, body: WebhookChanges) -> WebhookView:
        """Change a webhook, or switch it on again"""
        return await webhooks.change(actor, webhook_id, body)

    async def remove(actor: Actor, webhook_id: Uuid) -> None:
        """Tell an address nothing more"""
        await webhooks.remove(actor, webhook_id)

    async def deliveries(actor: Actor, webhook_id: Uuid, query: PageQuery) -> Page[DeliveryView]:
        """What a webhook was told lately"""
        return await webhooks.deliveries(actor, webhook_id, query)

    api = RestApi("webhooks")
    api.post("/webhooks", create, limit=CHANGES)
    api.get("/webhooks", listing)
    api.patch("/webhooks/{webhookId}", change, limit=CHANGES)
    api.delete("/webhooks/{webhookId}", remove)
    api.get("/webhooks/{webhookId}/deliveries", deliveries)
    return api

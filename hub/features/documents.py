"""What the documents API adds to live editing."""

from collab.comments.routes import comments_api
from collab.comments.service import Comments
from collab.comments.store_postgres import COMMENTED, PostgresComments
from collab.content.routes import contents_api
from collab.content.service import Contents
from collab.content.worker_process import ContentWorker
from collab.engine import Engine
from collab.history.recorder import Contributions
from collab.history.service import DocumentHistory
from collab.history.store_postgres import PostgresContributions
from collab.log import UpdateLog
from collab.model import HAPPENED
from collab.removal import Removal
from collab.service import DocumentService
from collab.sharing.routes import links_api
from collab.sharing.service import Links
from collab.sharing.store_postgres import PostgresLinkStore
from collab.store import DocumentStore
from collab.versions.automatic import AutomaticVersions
from collab.versions.routes import versions_api
from collab.versions.service import Versions
from collab.versions.store_postgres import PostgresVersions
from collab.webhooks.deliveries import Deliveries
from collab.webhooks.routes import webhooks_api
from collab.webhooks.sender import HttpSender
from collab.webhooks.service import Webhooks
from collab.webhooks.store_postgres import PostgresWebhooks
from core_api import outbox
from core_api.accounts.signing_key import SigningKey
from hub.features.core import Core, Feature


def library(
    core: Core,
    store: DocumentStore,
    service: DocumentService,
    engine: Engine,
    updates: UpdateLog,
    contributions: Contributions,
    key: SigningKey,
) -> Feature:
    """Links, comments, webhooks, export and import, versions, history, and the removal of what was deleted."""
    settings = core.settings.collab
    links = Links(PostgresLinkStore(core.pool, outbox.append), service, core.access, core.clock, settings)
    worker = ContentWorker()
    contents = Contents(engine, updates, worker, service, core.access, contributions)
    kept = PostgresVersions(core.pool, outbox.append)
    versions = Versions(kept, contents, worker, contributions, core.access, core.clock, settings)
    history = DocumentHistory(PostgresContributions(core.pool, outbox.append), contributions, core.access)
    comments = Comments(
        PostgresComments(core.pool, outbox.append),
        core.access,
        core.rooms,
        core.clock,
        settings,
        nudge=core.outbox.nudge,
    )
    hooks, secrets = PostgresWebhooks(core.pool), key.derive("webhooks")
    sender = HttpSender(private=settings.webhook_private)
    deliveries = Deliveries(hooks, sender, core.clock, settings, key=secrets)
    webhooks = Webhooks(hooks, core.access, core.clock, settings, key=secrets)

    async def commented(payload: outbox.Payload) -> None:
        await comments.tell(payload)
        details = {name: payload[name] for name in ("threadId", "commentId", "change")}
        await deliveries.enqueue("comment.changed", payload["documentId"], details)

    core.outbox.add({COMMENTED: commented, HAPPENED: deliveries.happened})
    automatic = AutomaticVersions(versions, kept, core.clock, settings)
    removal = Removal(store, core.clock, settings)

    async def start() -> None:
        await sender.open()
        core.tasks.start(deliveries.run(), name="deliveries of webhooks")
        core.tasks.start(deliveries.forget_for_ever(), name="old deliveries of webhooks")
        core.tasks.start(removal.run(), name="removal of deleted documents")
        core.tasks.start(contributions.run(), name="contributions to documents")
        core.tasks.start(automatic.run(), name="automatic versions of documents")

    return Feature(
        apis=[
            contents_api(contents),
            links_api(links),
            versions_api(versions, history),
            comments_api(comments),
            webhooks_api(webhooks),
        ],
        starts=[start],
        closes=[contributions.close, worker.close, sender.close],
    )

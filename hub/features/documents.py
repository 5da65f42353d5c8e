"""What the documents API adds to live editing."""

from collab.removal import Removal
from collab.service import DocumentService
from collab.sharing.routes import links_api
from collab.sharing.service import Links
from collab.sharing.store_postgres import PostgresLinkStore
from collab.store_postgres import PostgresDocumentStore
from hub.features.core import Core, Feature


def library(core: Core, store: PostgresDocumentStore, service: DocumentService) -> Feature:
    """Links, and the removal of what was deleted."""
    settings = core.settings.collab
    links = Links(PostgresLinkStore(core.pool), service, core.access, core.clock, settings)
    removal = Removal(store, core.clock, settings)

    async def start() -> None:
        core.tasks.start(removal.run(), name="removal of deleted documents")

    return Feature(apis=[links_api(links)], starts=[start])

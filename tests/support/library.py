"""Documents as a library, on real servers: what a node composes, without a node."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from collab.content.service import Contents
from collab.content.worker_process import ContentWorker
from collab.history.recorder import Contributions
from collab.history.service import DocumentHistory
from collab.history.store_postgres import PostgresContributions
from collab.schema import NewDocument, NewMember, Role
from collab.service import DocumentService
from collab.settings import CollabSettings
from collab.store_postgres import PostgresDocumentStore
from collab.versions.automatic import AutomaticVersions
from collab.versions.service import Versions
from collab.versions.store_postgres import PostgresVersions
from core_api import outbox
from hub.kernel.events import Actor
from tests.support.clock import FrozenClock
from tests.support.collab import Accounts, Node, RoleAccess, person
from tests.support.rooms import RecordedRooms


@dataclass
class Library:
    """One node's documents API, and a document in it with its owner."""

    documents: DocumentService
    contents: Contents
    versions: Versions
    automatic: AutomaticVersions
    contributions: Contributions
    history: DocumentHistory
    clock: FrozenClock
    node: Node
    owner: Actor
    document_id: str

    async def member(self, role: Role) -> Actor:
        """Somebody the document is shared with."""
        other = person()
        await self.documents.add_member(self.owner, self.document_id, NewMember(user_id=other.user_id, role=role))
        return other

    async def write(self, actor: Actor, update: bytes) -> None:
        """A change as live editing makes it."""
        await self.node.engine.submit(self.document_id, update)
        self.contributions.note(self.document_id, actor.user_id, len(update))


@asynccontextmanager
async def library(pool: asyncpg.Pool, node: Node, settings: CollabSettings) -> AsyncIterator[Library]:
    """A library on a node's engine, with a frozen clock."""
    clock, store, worker, owner = FrozenClock(), PostgresDocumentStore(pool, outbox.append), ContentWorker(), person()
    access, counted = RoleAccess(store), PostgresContributions(pool, outbox.append)
    documents = DocumentService(store, access, Accounts(), RecordedRooms(), clock, settings)
    contributions = Contributions(counted, clock, flush_s=60)
    contents = Contents(node.engine, node.log, worker, documents, access, contributions)
    kept = PostgresVersions(pool, outbox.append)
    versions = Versions(kept, contents, worker, contributions, access, clock, settings)
    document = await documents.create(owner, NewDocument(title="Plan"))
    try:
        yield Library(
            documents,
            contents,
            versions,
            AutomaticVersions(versions, kept, clock, settings),
            contributions,
            DocumentHistory(counted, contributions, access),
            clock,
            node,
            owner,
            document.id,
        )
    finally:
        await worker.close()

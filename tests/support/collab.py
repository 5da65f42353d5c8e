"""What the tests of documents share: a subscriber that remembers, hints that get lost, the access rule in little."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

import asyncpg

from collab.compaction import Folded
from collab.compaction_postgres import fold
from collab.engine import Engine
from collab.hints_redis import RedisHints
from collab.hot import Shown
from collab.log import Row
from collab.log_postgres import PostgresLog
from collab.service import DocumentRoles
from collab.store import DocumentStore
from hub.kernel.errors import Forbidden, NotFound
from hub.kernel.events import Actor
from hub.kernel.ids import NodeId, SessionId, UserId, new_ulid, new_uuid

DOCUMENT = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"


@dataclass(eq=False)
class Audience:
    """Implements collab.hot.Subscriber and remembers."""

    delivered: list[Shown] = field(default_factory=list)
    together: list[int] = field(default_factory=list)
    """How many came at once, each time."""

    def deliver(self, document_id: str, changes: Sequence[Shown]) -> None:
        self.delivered += changes
        self.together.append(len(changes))


class LostHints(RedisHints):
    """Loses the publications it is told to."""

    lose: Callable[[Row], bool] = staticmethod(lambda row: False)

    async def publish(self, rows: Iterable[Row]) -> None:
        await super().publish([row for row in rows if not self.lose(row)])


@dataclass
class Node:
    engine: Engine
    hints: LostHints
    log: PostgresLog


async def compact(pool: asyncpg.Pool, document_id: str = DOCUMENT, least: int = 1) -> Folded:
    """Fold a document in this process."""
    async with pool.acquire() as connection:
        return await fold(connection, document_id, least)


StartNode = Callable[..., Awaitable[Node]]


MAY = {
    "owner": {"read", "comment", "write", "manage"},
    "editor": {"read", "comment", "write"},
    "commenter": {"read", "comment"},
    "viewer": {"read"},
}


def person() -> Actor:
    """Somebody who is signed in."""
    return Actor(UserId(new_uuid()), SessionId(new_uuid()))


class RoleAccess:
    """Implements hub.kernel.ports.Access for documents: their roles, and the pairs in ``blocks``."""

    def __init__(self, store: DocumentStore) -> None:
        self.roles = DocumentRoles(store, self)
        self.blocks: set[frozenset[str]] = set()

    async def check(self, actor: Actor | None, action: str, resource: str, resource_id: str) -> None:
        role = await self.roles.role(actor.user_id if actor else None, resource_id)
        if role is None:
            raise NotFound
        if action not in MAY[role]:
            raise Forbidden

    async def blocked(self, one: str, other: str) -> bool:
        return frozenset((one, other)) in self.blocks

    async def blocked_among(self, one: str, others: Iterable[str]) -> frozenset[str]:
        return frozenset([other for other in others if await self.blocked(one, other)])

    async def blocked_pairs(self, pairs: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        return frozenset([pair for pair in pairs if await self.blocked(*pair)])


@dataclass
class NodesOf:
    """Implements hub.kernel.ports.Nodes: one node among those that are ``alive``, itself included."""

    node_id: NodeId = field(default_factory=lambda: NodeId(new_ulid()))
    alive: set[NodeId] = field(default_factory=set)

    async def live(self) -> frozenset[NodeId]:
        return frozenset(self.alive | {self.node_id})


@dataclass
class Accounts:
    """Implements collab.ports.People: everybody is there but those in ``absent``."""

    absent: set[str] = field(default_factory=set)

    async def exists(self, user_id: str) -> bool:
        return user_id not in self.absent

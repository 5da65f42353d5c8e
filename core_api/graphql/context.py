"""What resolvers know of the operation that they are part of."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field

import strawberry
from strawberry.dataloader import DataLoader

from core_api.accounts.schema import User
from core_api.graphql.ports import Services
from core_api.graphql.settings import GraphQLSettings
from core_api.graphql.slots import Slot, Slots
from hub.kernel.errors import Unauthorized
from hub.kernel.events import Actor
from hub.kernel.ids import UserId
from hub.kernel.limited import Limited


@dataclass
class Context:
    """One operation: who asks, whom to ask, and what was asked for already."""

    actor: Actor | None
    services: Services
    settings: GraphQLSettings
    slots: Slots
    limited: Limited
    source: str | None
    """What the client's address counts as."""
    slot: Slot | None = None
    """The one of a query or mutation while it runs."""
    people: DataLoader[UserId, User | None] = field(init=False)
    """People as the viewer sees them, all that are asked for at one moment in one query."""

    _asking: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def __post_init__(self) -> None:
        # Without a cache: a subscription lives for hours, and would show people as they were at its beginning.
        self.people = DataLoader(load_fn=self._load_people, cache=False)

    @property
    def signed_in(self) -> Actor:
        """Who asks. Raises Unauthorized for strangers."""
        if self.actor is None:
            raise Unauthorized
        return self.actor

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Around what asks the database, unless it is a mutation: these come one after the other anyway.

        The fields of a query begin at once, but here they wait for each other, or a hundred authors with their posts
        would take all connections, and nine pages be made without a turn of the event loop. An event of a subscription
        also waits for its slot here.
        """
        async with self._asking:
            if self.slot is not None:
                yield
                return
            async with self.slots.turn():
                yield

    def lent_slot(self) -> AbstractAsyncContextManager[None]:
        """Around what may take seconds: others work meanwhile."""
        return nullcontext() if self.slot is None else self.slot.lent()

    async def _load_people(self, user_ids: list[UserId]) -> Sequence[User | None]:
        async with self.turn():
            known = await self.services.users.many(set(user_ids), self.actor)
        return [known.get(user_id) for user_id in user_ids]


Info = strawberry.Info[Context, None]

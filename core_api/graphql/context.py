"""What resolvers know of the operation that they are part of."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
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


@dataclass
class Context:
    """One operation: who asks, whom to ask, and what was asked for already."""

    actor: Actor | None
    services: Services
    settings: GraphQLSettings
    slots: Slots
    slot: Slot | None = None
    """The one of a query or mutation while it runs."""
    people: DataLoader[UserId, User | None] = field(init=False)
    """People as the viewer sees them, all that are asked for at one moment in one query."""

    def __post_init__(self) -> None:
        # Without a cache: a subscription lives for hours, and would show people as they were at its beginning.
        self.people = DataLoader(load_fn=self._load_people, cache=False)

    @property
    def signed_in(self) -> Actor:
        """Who asks. Raises Unauthorized for strangers."""
        if self.actor is None:
            raise Unauthorized
        return self.actor

    def lent_slot(self) -> AbstractAsyncContextManager[None]:
        """Around what may take seconds: others work meanwhile."""
        return nullcontext() if self.slot is None else self.slot.lent()

    async def _load_people(self, user_ids: list[UserId]) -> Sequence[User | None]:
        known = await self.services.users.many(set(user_ids), self.actor)
        return [known.get(user_id) for user_id in user_ids]


Info = strawberry.Info[Context, None]

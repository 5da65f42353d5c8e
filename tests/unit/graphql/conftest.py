"""GraphQL over services in memory."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from core_api.accounts.schema import User
from core_api.content.schema import Content, PostView
from core_api.graphql.executor import Executor
from core_api.graphql.faults import Faults
from core_api.graphql.ports import Services
from core_api.graphql.rate_limits import declared
from core_api.graphql.settings import GraphQLSettings
from core_api.ports import UserBrief
from hub.kernel.clock import from_ms
from hub.kernel.errors import NotFound
from hub.kernel.events import Actor
from hub.kernel.ids import UserId, new_uuid
from hub.kernel.limited import Limited
from hub.kernel.limits import READ, WRITE
from hub.kernel.pages import Page, PageInfo, PageQuery
from hub.transport.outages import as_hub_error
from tests.support.rooms import RecordedRooms

NOW = from_ms(1_800_000_000_000)


@dataclass
class World:
    """Implements core_api.graphql.ports.Users, Posts, DocumentChanges and hub.kernel.ports.Access, and counts."""

    rooms: RecordedRooms = field(default_factory=RecordedRooms)
    hidden: set[str] = field(default_factory=set)
    """Ids of what nobody may read."""
    looked_up: list[set[UserId]] = field(default_factory=list)
    posts: list[PostView] = field(default_factory=list)
    before_posts: Callable[[], Any] | None = None
    """Called, and awaited, before posts are listed."""

    def post(self, title: str = "A title") -> PostView:
        author = UserBrief(id=new_uuid(), username="ada", display_name="Ada")
        return PostView(
            id=new_uuid(), slug="a-title", title=title, content=Content(blocks=[]), excerpt=None, cover_image=None,
            tags=[], category=None, status="PUBLISHED", author=author, view_count=0, reading_time=1, sentiment=None,
            published_at=NOW, created_at=NOW, updated_at=NOW,
        )  # fmt: skip

    async def many(self, user_ids: Iterable[UserId], viewer: Actor | None) -> dict[UserId, User]:
        wanted = set(user_ids)
        self.looked_up.append(wanted)
        known = wanted - self.hidden
        return {one: User(id=one, username="ada", display_name="Ada", bio="Hi", created_at=NOW) for one in known}

    async def list(self, actor: Actor | None, query: PageQuery) -> Page[PostView]:
        if self.before_posts is not None:
            await self.before_posts()
        return Page(data=self.posts[: query.limit], page_info=PageInfo(next_cursor=None, has_next=False))

    async def by_author(self, actor: Actor | None, author_id: str, query: PageQuery) -> Page[PostView]:
        return await self.list(actor, query)

    async def check(self, actor: Actor | None, action: str, resource: str, resource_id: str) -> None:
        if resource_id in self.hidden:
            raise NotFound

    async def blocked(self, one: str, other: str) -> bool:
        return other in self.hidden

    async def blocked_among(self, one: str, others: Iterable[str]) -> frozenset[str]:
        return frozenset([other for other in others if await self.blocked(one, other)])

    async def blocked_pairs(self, pairs: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        return frozenset([pair for pair in pairs if await self.blocked(*pair)])

    @asynccontextmanager
    async def follow(self, document_id: str, changed: Callable[[], None]) -> AsyncIterator[None]:
        changed()
        yield


def unlimited() -> Limited:
    """All fields with the limits of a hub that nobody has set anything of, and nobody who keeps them."""
    return Limited(declared(chat=WRITE, wallet=WRITE, mint=WRITE, chain_read=READ))


MakeExecutor = Callable[..., Executor]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def executor(world: World) -> MakeExecutor:
    """An executor over the world, with these limits and settings."""
    anything: Any = world
    services = Services(
        users=anything,
        posts=anything,
        companions=anything,
        chats=anything,
        wallets=anything,
        mints=anything,
        nfts=anything,
        documents=anything,
        access=anything,
        rooms=world.rooms,
        presence=anything,
    )

    def make(limited: Limited | None = None, **changed: Any) -> Executor:
        settings = msgspec.structs.replace(GraphQLSettings(), **changed)
        return Executor(services, settings, Faults(as_hub_error), limited or unlimited())

    return make

"""What can be read."""

from typing import Annotated

import strawberry

from core_api.accounts.schema import Username
from core_api.chain.schema import Address, ChainNumber, NftQuery, TokenId
from core_api.content.schema import PostRef
from core_api.graphql import arguments
from core_api.graphql.arguments import DEFAULT_FIRST, page_query
from core_api.graphql.chain import NFT
from core_api.graphql.context import Info
from core_api.graphql.people_and_posts import Post, PostConnection, User
from core_api.graphql.vocabulary import BigInt, auth
from hub.kernel.errors import InvalidPayload, NotFound
from hub.kernel.ids import UserId
from hub.kernel.wire import Uuid, Wire


class UserRef(Wire):
    """Which person: one of the two."""

    id: Uuid | None
    username: Username | None


class PostRefs(Wire):
    """Which post: one of the two."""

    id: Uuid | None
    slug: PostRef | None


class NftRef(Wire):
    """Which token."""

    chain_id: ChainNumber
    contract: Address
    token_id: TokenId


@strawberry.type
class Query:
    """What is not there, or not the viewer's to see, is `null` without an error."""

    @auth
    @strawberry.field
    async def me(self, info: Info) -> User | None:
        """Who asks."""
        actor = info.context.signed_in
        async with info.context.turn():
            return User.of(await info.context.services.users.get(actor.user_id, actor))

    @strawberry.field
    async def user(self, info: Info, id: strawberry.ID | None = None, username: str | None = None) -> User | None:
        """A person by id or name."""
        asked = arguments.check(UserRef, id=id, username=username)
        users, viewer = info.context.services.users, info.context.actor
        try:
            async with info.context.turn():
                if asked.id is not None and asked.username is None:
                    return User.of(await users.get(UserId(asked.id), viewer))
                if asked.username is not None and asked.id is None:
                    return User.of(await users.named(asked.username, viewer))
        except NotFound:
            return None
        raise _one_of("id", "username")

    @strawberry.field
    async def post(self, info: Info, id: strawberry.ID | None = None, slug: str | None = None) -> Post | None:
        """A post by id or slug; drafts are their authors' to see."""
        asked = arguments.check(PostRefs, id=id, slug=slug)
        reference = asked.id or asked.slug
        if reference is None or (asked.id and asked.slug):
            raise _one_of("id", "slug")
        try:
            async with info.context.turn():
                return Post.of((await info.context.services.posts.get(info.context.actor, reference)).view)
        except NotFound:
            return None

    @strawberry.field
    async def posts(self, info: Info, first: int = DEFAULT_FIRST, after: str | None = None) -> PostConnection:
        """Published posts, the newest first. A page may be shorter than asked: who blocks the viewer is left out."""
        query = page_query(first, after)
        async with info.context.turn():
            found = await info.context.services.posts.list(info.context.actor, query)
        return PostConnection.of(found, query)

    @strawberry.field
    async def nft(self, info: Info, chain_id: BigInt, contract: str, token_id: str) -> NFT | None:
        """A token. Its number alone names none: every contract of every chain counts from one."""
        asked = arguments.check(NftRef, chainId=chain_id, contract=contract, tokenId=token_id)
        try:
            async with info.context.lent_slot():  # a chain is slower than a database
                return NFT.of(await info.context.services.nfts.get(asked.chain_id, asked.contract, asked.token_id))
        except NotFound:
            return None

    @strawberry.field
    async def nfts_by_owner(
        self,
        info: Info,
        owner: Annotated[str, strawberry.argument(description="An address, or the id of a person.")],
    ) -> list[NFT]:
        """The tokens of an address, or of a person's wallets: the newest 100."""
        asked = arguments.check(NftQuery, owner=owner)
        async with info.context.lent_slot():
            found = await info.context.services.nfts.of_owner(asked.owner)
        return [NFT.of(view) for view in found.data]


def _one_of(*names: str) -> InvalidPayload:
    message = f"Give either {names[0]} or {names[1]}."
    return InvalidPayload(message, errors=[{"pointer": f"/{name}", "detail": message} for name in names])

"""What can be done. Each field is one use case of a service, with the rules of REST."""

import strawberry
from strawberry.scalars import JSON

from core_api.chain.schema import MintRequest
from core_api.chain.wallet_schema import WalletProof
from core_api.companions.chat_schema import ChatMessage
from core_api.companions.schema import CompanionFields
from core_api.content.schema import ContentRef, PostChanges, PostFields
from core_api.graphql import arguments
from core_api.graphql.chain import Mint, Wallet
from core_api.graphql.companions import AICompanion, AIResponse
from core_api.graphql.context import Info
from core_api.graphql.people_and_posts import ContentStatus, Post, User
from core_api.graphql.vocabulary import auth
from hub.kernel.ids import UserId
from hub.kernel.wire import Uuid, Wire


class Person(Wire):
    """Whom."""

    user_id: Uuid


class Companion(Wire):
    """Which companion."""

    companion_id: Uuid


@strawberry.input
class CreatePostInput:
    """A post as its author writes it."""

    title: str
    content: JSON
    excerpt: str | None = strawberry.UNSET
    cover_image: str | None = strawberry.UNSET
    tags: list[str] | None = strawberry.UNSET
    category_id: strawberry.ID | None = strawberry.UNSET
    status: ContentStatus = ContentStatus.DRAFT
    mint_as_nft: bool = False


@strawberry.input
class UpdatePostInput:
    """The fields of a post to change; what is left out stays."""

    title: str | None = strawberry.UNSET
    content: JSON | None = strawberry.UNSET
    excerpt: str | None = strawberry.UNSET
    cover_image: str | None = strawberry.UNSET
    tags: list[str] | None = strawberry.UNSET
    category_id: strawberry.ID | None = strawberry.UNSET
    status: ContentStatus | None = strawberry.UNSET


@strawberry.input
class CreateAICompanionInput:
    """A companion as its owner makes it."""

    name: str
    personality_traits: JSON | None = strawberry.field(
        default=strawberry.UNSET,
        description="openness, conscientiousness, extraversion, agreeableness, neuroticism: 0 to 1 each, if at all",
    )
    avatar_style: str | None = strawberry.UNSET
    voice_id: str | None = strawberry.UNSET
    interests: list[str] | None = strawberry.UNSET


@strawberry.type
class Mutation:
    """Fields of one operation run one after the other."""

    @auth
    @strawberry.mutation
    async def create_post(self, info: Info, input: CreatePostInput) -> Post:
        """Write a post."""
        actor = info.context.signed_in
        created = await info.context.services.posts.create(actor, arguments.read(input, PostFields))
        return Post.of(created.view)

    @auth
    @strawberry.mutation
    async def update_post(self, info: Info, id: strawberry.ID, input: UpdatePostInput) -> Post:
        """Change fields of one's own post."""
        actor = info.context.signed_in
        post_id = arguments.check(ContentRef, contentId=id).content_id
        changes = arguments.read(input, PostChanges)
        return Post.of((await info.context.services.posts.change(actor, post_id, changes, None)).view)

    @auth
    @strawberry.mutation
    async def follow_user(self, info: Info, user_id: strawberry.ID) -> User:
        """Follow a person. A repeat is harmless."""
        actor, users = info.context.signed_in, info.context.services.users
        followed = UserId(arguments.check(Person, userId=user_id).user_id)
        await users.follow(followed, actor)
        return User.of(await users.get(followed, actor))

    @auth
    @strawberry.mutation
    async def create_ai_companion(self, info: Info, input: CreateAICompanionInput) -> AICompanion:
        """Make a companion."""
        actor = info.context.signed_in
        fields = arguments.read(input, CompanionFields)
        return AICompanion.of((await info.context.services.companions.create(actor, fields)).view)

    @auth
    @strawberry.mutation
    async def chat_with_ai_companion(
        self, info: Info, companion_id: strawberry.ID, message: str, conversation_id: strawberry.ID | None = None
    ) -> AIResponse:
        """Say something to one's companion, and wait for the whole answer."""
        actor = info.context.signed_in
        companion = arguments.check(Companion, companionId=companion_id).companion_id
        said = arguments.check(ChatMessage, message=message, conversationId=conversation_id)
        async with info.context.lent_slot():
            return AIResponse.of(await info.context.services.chats.say(actor, companion, said))

    @auth
    @strawberry.mutation
    async def connect_wallet(self, info: Info, address: str, message: str, signature: str) -> Wallet:
        """Connect the wallet that signed the text of `POST /api/v1/blockchain/wallet/nonce`."""
        actor = info.context.signed_in
        proof = arguments.check(WalletProof, address=address, message=message, signature=signature)
        async with info.context.lent_slot():  # the wallet may be a contract, which is asked on its chain
            return Wallet.of(await info.context.services.wallets.connect(actor, proof))

    @auth
    @strawberry.mutation
    async def mint_nft(self, info: Info, post_id: strawberry.ID) -> Mint:
        """Begin to mint one's own published post. However often it is asked for, there is one token."""
        actor = info.context.signed_in
        return Mint.of(await info.context.services.mints.mint(actor, arguments.check(MintRequest, postId=post_id)))

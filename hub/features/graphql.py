"""GraphQL over the services of the others."""

from functools import partial

from core_api.accounts.directory import Directory
from core_api.accounts.directory_postgres import PostgresDirectory
from core_api.accounts.people import People
from core_api.graphql.front import graphql_front
from core_api.graphql.ports import Services
from core_api.graphql.rate_limits import declared
from hub.features.chain import Chain
from hub.features.companions import CompanionsFeature
from hub.features.core import Core, Feature
from hub.features.live import Documents, Presence
from hub.features.social import Content
from hub.kernel.limited import Limited
from hub.kernel.ports import Authenticator
from hub.transport import rest
from hub.transport.outages import as_hub_error


def feature(
    core: Core,
    authenticator: Authenticator,
    *,
    content: Content,
    documents: Documents,
    companions: CompanionsFeature,
    chain: Chain,
    presence: Presence,
) -> Feature:
    """``/graphql``. strawberry is imported at the first request."""
    services = Services(
        users=Directory(People(core.people, core.clock), PostgresDirectory(core.pool)),
        posts=content.posts,
        companions=companions.companions,
        chats=companions.chats,
        wallets=chain.wallets,
        mints=chain.mints,
        nfts=chain.nfts,
        documents=documents.changes,
        access=core.access,
        rooms=core.rooms,
        presence=presence.feeds,
    )
    identify = partial(rest.actor_of, authenticator=authenticator)
    limited = Limited(
        declared(
            chat=companions.chats.limit,
            wallet=chain.wallets.limit,
            mint=chain.mints.limit,
            chain_read=chain.read_limit,
        )
    )
    front = graphql_front(services, identify, authenticator, as_hub_error, core.clock, core.settings.graphql, limited)
    return Feature(mounts=[front.add_routes], limited=limited)

"""How often the fields of an operation may be asked for, each by its name: ``graphql:posts``.

A node reads this at its start, to check what the operator says of limits, so it imports nothing of strawberry's.
"""

from collections.abc import Mapping
from typing import Final

from hub.kernel.limits import EVENT, READ, WRITE, Declared, Limit

PREFIX: Final = "graphql:"
OPERATION: Final = "graphql"
"""Any operation, and the opening of a WebSocket: counted before the token is verified and the document is read."""
INTROSPECTION: Final = Limit(per_minute=60, burst=20)
"""The whole schema takes 20 ms. Tools read it once."""
SUBSCRIBE: Final = EVENT
"""Like joining a room: who comes back begins all subscriptions at once."""
ALIKE: Final[Mapping[str, Limit]] = {
    "__schema": INTROSPECTION,
    "__type": INTROSPECTION,
    "me": READ,
    "user": READ,
    "post": READ,
    "posts": READ,
    "createPost": WRITE,
    "updatePost": WRITE,
    "followUser": WRITE,
    "createAICompanion": WRITE,
    "postAdded": SUBSCRIBE,
    "userPresenceChanged": SUBSCRIBE,
    "documentChanged": SUBSCRIBE,
    "aiCompanionTyping": SUBSCRIBE,
}


def declared(*, chat: Limit, wallet: Limit, mint: Limit, chain_read: Limit) -> dict[str, Declared]:
    """All that is limited, by name; the arguments are what the operator has set of the services behind."""
    of_services = {"chatWithAICompanion": chat, "connectWallet": wallet, "mintNFT": mint}
    limits = {PREFIX + field: Declared(limit) for field, limit in {**ALIKE, **of_services}.items()}
    # Whoever reads the chain is not asked who they are, as by REST: an address has one allowance.
    reads = {PREFIX + field: Declared(chain_read, of_addresses=True) for field in ("nft", "nftsByOwner")}
    return {OPERATION: Declared(READ), **limits, **reads}

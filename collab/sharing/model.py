"""Links that share a document: what one is, and whether it makes somebody more than they are."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

SECRET_BYTES = 32
"""Random bytes of a secret. Guessing a billion times a second finds one of a billion links in 10⁵¹ years."""
RANKS = {"viewer": 1, "commenter": 2, "editor": 3, "owner": 4}


@dataclass(frozen=True, slots=True)
class Link:
    """A link, without its secret: only its maker ever sees that."""

    id: str
    document_id: str
    role: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    joined: int = 0
    """People whom it has made members, or given more rights."""


def new_secret() -> str:
    """What whoever holds the link shows: 43 characters that fit into any URL."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> bytes:
    """What is stored instead of the secret. Without salt or stretching, which are for what people think of."""
    return hashlib.sha256(secret.encode()).digest()


def raises(standing: str | None, role: str) -> bool:
    """Whether ``role`` lets somebody do more than ``standing`` does. A link never takes rights away."""
    return RANKS[role] > RANKS.get(standing or "", 0)

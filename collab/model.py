"""Documents and who may do what with them."""

from dataclasses import dataclass
from datetime import datetime

HAPPENED = "document.happened"
"""Topic of the outbox: ``{event, documentId, details?}``, for whoever wants to be told of it."""


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A document, without its text."""

    id: str
    title: str
    owner_id: str
    visibility: str
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    member_role: str | None
    """The role that the reader was given, if any."""

    def role_of(self, user_id: str) -> str | None:
        """The role of the reader: the owner's, a member's, or that of anybody who is signed in."""
        return role(self.owner_id == user_id, self.member_role, self.visibility)

    def is_shared_with(self, user_id: str) -> bool:
        """Whether the reader owns it or was given a role."""
        return self.owner_id == user_id or self.member_role is not None


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody is to a document, without a look at blocks."""

    owner_id: str
    role: str
    is_shared: bool
    """Whether it is theirs or they were given a role; else it is public."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody a document is shared with."""

    user_id: str
    role: str


def role(is_owner: bool, member_role: str | None, visibility: str) -> str | None:
    """Owner before member before everybody; ``None`` for those who may not know of the document."""
    if is_owner:
        return "owner"
    return member_role or ("viewer" if visibility == "public" else None)

"""Links of documents on the wire."""

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from collab.schema import Role
from hub.kernel.wire import END, Wire

Moment = Annotated[datetime, Meta(tz=True)]
Secret = Annotated[str, Meta(max_length=43, pattern=rf"^[A-Za-z0-9_-]{{43}}{END}", description="of a link")]


class NewLink(Wire):
    """A link to make. Without ``expiresAt`` it is good until it is revoked."""

    role: Role
    expires_at: Moment | None = None


class LinkView(Wire):
    """A link. ``joined`` counts the people whom it has made members, or given more rights."""

    id: str
    role: Role
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    joined: int
    secret: str | UnsetType = UNSET
    """Only in the first answer to its making. Put it behind the # of a URL, where no server and no log sees it."""

    def __repr__(self) -> str:
        return f"LinkView(id={self.id!r})"  # never the secret: what is logged, or shown in a traceback, stays


class JoinByLink(Wire):
    """What a link says to become a member."""

    secret: Secret

    def __repr__(self) -> str:
        return "JoinByLink()"

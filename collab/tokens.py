"""Document tokens: they let editors that know nothing of the hub open one document, for an hour.

A token is signed and stored nowhere. It says which session of which user asked for it, so that it is worth nothing once
that session has ended; what the user may do with the document is looked at whenever it is used, and live.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from hub.kernel.clock import Clock, from_ms
from hub.kernel.errors import TokenExpired, Unauthorized
from hub.kernel.events import Actor
from hub.kernel.http import RestApi
from hub.kernel.ids import SessionId, UserId
from hub.kernel.limits import Limit
from hub.kernel.ports import Access
from hub.kernel.wire import Uuid, Wire

MAX_TTL_S: Final = 3600
TOKENS: Final = Limit(per_minute=300, burst=200)
"""Of one user: a page that opens asks for one a document, and an editor once more when its token has run out."""
MAX_LENGTH: Final = 1024
"""Of a token; ours have 250 characters."""
PREFIX: Final = "doc."
"""What a document token begins with, so that nobody takes it for an access token."""
TokenAccess = Literal["read", "write"]


class NewDocumentToken(Wire):
    """What a token is to let its bearer do with the document, and for how many seconds."""

    access: TokenAccess
    ttl: Annotated[int, Meta(ge=1, le=MAX_TTL_S)] = MAX_TTL_S


class DocumentToken(Wire):
    """A token and when it runs out. It opens connections until then; those that are open stay so."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Pass:
    """What a token says."""

    document_id: str
    actor: Actor
    may_write: bool


class _Claims(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    document: Uuid
    user: Uuid
    session: Uuid
    access: TokenAccess
    expires_at_ms: int


class DocumentTokens:
    """Issues and reads document tokens. ``secret`` is the same on all nodes."""

    def __init__(self, secret: bytes, access: Access, clock: Clock) -> None:
        self._secret = secret
        self._access = access
        self._clock = clock

    async def issue(self, actor: Actor, document_id: str, body: NewDocumentToken) -> DocumentToken:
        """A token for what the actor may do now. Raises NotFound, Forbidden."""
        await self._access.check(actor, body.access, "document", document_id)
        expires_at_ms = self._clock.now_ms() + body.ttl * 1000
        claims = _Claims(document_id, actor.user_id, actor.session_id, body.access, expires_at_ms)
        text = PREFIX + _armoured(msgspec.json.encode(claims))
        return DocumentToken(token=f"{text}.{_armoured(self._sign(text))}", expires_at=from_ms(expires_at_ms))

    def read(self, token: str) -> Pass:
        """What a token says, if it is one. Raises Unauthorized and TokenExpired."""
        text, _, signature = token.rpartition(".")
        try:
            if len(token) > MAX_LENGTH or not text.startswith(PREFIX):
                raise ValueError
            if not hmac.compare_digest(_plain(signature), self._sign(text)):
                raise ValueError
            claims = msgspec.json.decode(_plain(text.removeprefix(PREFIX)), type=_Claims)
        except (ValueError, binascii.Error, msgspec.DecodeError):  # UnicodeEncodeError is a ValueError
            raise Unauthorized("This is no document token.") from None
        if self._clock.now_ms() >= claims.expires_at_ms:
            raise TokenExpired("The document token has expired. Get a new one.")
        actor = Actor(UserId(claims.user), SessionId(claims.session))
        return Pass(claims.document, actor, claims.access == "write")

    def _sign(self, text: str) -> bytes:
        return hmac.digest(self._secret, text.encode(), "sha256")


def document_tokens_api(tokens: DocumentTokens) -> RestApi:
    """``POST /documents/{documentId}/tokens``."""

    async def issue(actor: Actor, document_id: Uuid, body: NewDocumentToken) -> DocumentToken:
        """Get a token with which an editor opens the document"""
        return await tokens.issue(actor, document_id, body)

    api = RestApi("documents")
    api.post("/documents/{documentId}/tokens", issue, limit=TOKENS)
    return api


def _armoured(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _plain(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))

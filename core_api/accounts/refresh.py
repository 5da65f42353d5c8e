"""Refresh tokens: each good once, and the rule that tells a thief from a second tab. No I/O.

A session has a random seed and the number (generation) of its current token. Token *n* is

    session id | n | HMAC-SHA256(server key, session id | n | seed)

so a token can be made again and never has to be kept. That is what the grace needs: when two tabs refresh with token
*n* at once, or the answer to one is lost, the second request gets the very same token *n + 1*, not a second branch of
the family. The seed is only in the database and the key only in the key file: neither alone makes a token, and a
stolen token does not lead to its successor.

A token that was replaced and comes again after the grace, or is older still, was copied: whoever has the current one
may be the thief or the owner, so the session ends for both.
"""

import base64
import binascii
import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from core_api.accounts.model import Session
from core_api.accounts.settings import AccountsSettings
from hub.kernel.ids import SessionId

PREFIX = "shr_"
"""Lets secret scanners (and people) see what a leaked string is."""
SEED_BYTES = 16
ID_BYTES = 16
GENERATION_BYTES = 4
PROOF_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A token as it was presented; genuine or not is for :meth:`RefreshTokens.genuine` to say."""

    session_id: SessionId
    generation: int
    proof: bytes


class RefreshTokens:
    """Makes and reads refresh tokens with the server's key, which is the same on all nodes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, session: Session) -> str:
        """The current token of a session. The same state gives the same token."""
        place = _place(session.id, session.refresh_generation)
        token = place + self._proof(place, session.refresh_seed)
        return PREFIX + base64.urlsafe_b64encode(token).rstrip(b"=").decode()

    def genuine(self, token: RefreshToken, session: Session) -> bool:
        """Whether this server made the token for this session."""
        proof = self._proof(_place(token.session_id, token.generation), session.refresh_seed)
        return hmac.compare_digest(proof, token.proof)

    def _proof(self, place: bytes, seed: bytes) -> bytes:
        return hmac.digest(self._key, place + seed, "sha256")


def parse(text: str) -> RefreshToken | None:
    """The parts of a token, or ``None`` if it has not the form of one."""
    if not text.startswith(PREFIX):
        return None
    body = text.removeprefix(PREFIX)
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != ID_BYTES + GENERATION_BYTES + PROOF_BYTES:
        return None
    generation = int.from_bytes(raw[ID_BYTES : ID_BYTES + GENERATION_BYTES])
    return RefreshToken(SessionId(str(uuid.UUID(bytes=raw[:ID_BYTES]))), generation, raw[ID_BYTES + GENERATION_BYTES :])


class Verdict(Enum):
    """What to do about a genuine refresh token."""

    ROTATE = "it is the current one: make the next one current and hand it out"
    REPEAT = "it was replaced a moment ago: hand out its successor once more"
    REUSED = "it was replaced long ago: somebody has a copy, end the session"
    ENDED = "the session is over: sign in again"


def judge(session: Session, generation: int, now: datetime, settings: AccountsSettings) -> Verdict:
    """What to do about token number ``generation`` of ``session``.

    Reuse is told before the end of the session, so that a repeat finishes a revocation that failed half-way. Only the
    immediate predecessor has a grace: a session keeps one moment, not a history.
    """
    replaced = session.refresh_generation - generation
    age = now - session.refreshed_at
    if replaced > 1 or (replaced == 1 and age > timedelta(seconds=settings.refresh_grace_s)):
        return Verdict.REUSED
    too_old = now - session.created_at >= timedelta(seconds=settings.refresh_absolute_s)
    idle = age >= timedelta(seconds=settings.refresh_idle_s)
    # A genuine token from the future: the database was restored from before it was issued.
    if session.ended_at is not None or too_old or idle or replaced < 0:
        return Verdict.ENDED
    return Verdict.ROTATE if replaced == 0 else Verdict.REPEAT


def _place(session_id: SessionId, generation: int) -> bytes:
    return uuid.UUID(session_id).bytes + generation.to_bytes(GENERATION_BYTES)

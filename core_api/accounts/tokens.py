"""Access tokens: short-lived JWTs (RFC 9068 in kind), signed and verified with Ed25519."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, OKPKey
from msgspec import Meta

from core_api.accounts.settings import AccountsSettings
from core_api.accounts.signing_key import SigningKey
from hub.kernel.clock import Clock
from hub.kernel.errors import TokenExpired, Unauthorized
from hub.kernel.events import Actor
from hub.kernel.ids import SessionId, UserId, new_uuid
from hub.kernel.wire import Uuid

ALGORITHM = "Ed25519"
"""RFC 9864's name of EdDSA on this curve; the older name says nothing of the curve. No other algorithm is taken."""
TYPE = "at+jwt"
LEEWAY_S = 30
"""How far a token may come from the future: the clocks of two nodes are never quite the same."""
MAX_LENGTH = 4096
CACHE_SIZE = 20_000
"""Verified tokens remembered: about 6 MB when full. A signature costs 85 µs, finding one again 1 µs."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token for the client, and when it runs out."""

    text: str
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """Implements hub.kernel.ports.Credentials."""

    actor: Actor
    expires_at_ms: int


class Claims(msgspec.Struct):
    """Every claim is required. No address and no role: a token outlives both."""

    iss: str
    aud: str
    sub: Uuid
    sid: Uuid
    jti: Annotated[str, Meta(min_length=1)]
    iat: int
    exp: int


class TokenSigner:
    """Makes access tokens."""

    def __init__(self, key: SigningKey, settings: AccountsSettings, clock: Clock) -> None:
        self._key = key
        self._settings = settings
        self._clock = clock

    def sign(self, user_id: UserId, session_id: SessionId) -> AccessToken:
        """A token for this session of this user, from now on."""
        issued_at = self._clock.now_ms() // 1000  # seconds, says RFC 7519
        claims = Claims(
            iss=self._settings.issuer,
            aud=self._settings.audience,
            sub=user_id,
            sid=session_id,
            jti=new_uuid(),
            iat=issued_at,
            exp=issued_at + self._settings.access_token_s,
        )
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": self._key.kid}
        text = jws.serialize_compact(header, msgspec.json.encode(claims), self._key.pair, algorithms=[ALGORITHM])
        return AccessToken(text, claims.exp * 1000)


class TokenVerifier:
    """Reads access tokens. Several keys may be valid at once, so that replacing one signs nobody out."""

    def __init__(
        self, keys: Iterable[SigningKey], settings: AccountsSettings, clock: Clock, *, cache_size: int = CACHE_SIZE
    ) -> None:
        self._keys = {key.kid: key.pair for key in keys}
        self._settings = settings
        self._clock = clock
        self._cache_size = cache_size
        # By SHA-256, so that a dump of the memory is no list of valid tokens.
        self._verified: OrderedDict[bytes, VerifiedToken] = OrderedDict()

    def verify(self, text: str) -> VerifiedToken:
        """Who the token speaks for. Raises Unauthorized, or TokenExpired if time is all that is wrong with it."""
        if len(text) > MAX_LENGTH or not text.isascii():
            raise Unauthorized("This is not an access token.")
        digest = hashlib.sha256(text.encode()).digest()
        token = self._verified.get(digest)
        if token is None:
            token = self._check(text)
            self._remember(digest, token)
        else:
            self._verified.move_to_end(digest)
        if self._clock.now_ms() >= token.expires_at_ms:
            self._verified.pop(digest, None)
            raise TokenExpired
        return token

    def _remember(self, digest: bytes, token: VerifiedToken) -> None:
        self._verified[digest] = token
        if len(self._verified) > self._cache_size:
            self._verified.popitem(last=False)

    def _check(self, text: str) -> VerifiedToken:
        try:
            signed = jws.deserialize_compact(text, self._key_of, algorithms=[ALGORITHM])
            claims = msgspec.json.decode(signed.payload, type=Claims)
        except (JoseError, ValueError) as error:  # msgspec's errors are ValueErrors
            raise Unauthorized("The access token is not valid.") from error
        if signed.headers().get("typ") != TYPE:
            raise Unauthorized("This is not an access token.")
        if claims.iss != self._settings.issuer or claims.aud != self._settings.audience:
            raise Unauthorized("The access token is not meant for this hub.")
        # Also what finds milliseconds where seconds belong, in either claim: such a token would live for ages.
        from_future = claims.iat > self._clock.now_ms() // 1000 + LEEWAY_S
        if from_future or not 0 < claims.exp - claims.iat <= self._settings.access_token_s:
            raise Unauthorized("The times in the access token cannot be right.")
        return VerifiedToken(Actor(UserId(claims.sub), SessionId(claims.sid)), claims.exp * 1000)

    def _key_of(self, token: GuestProtocol) -> OKPKey:
        # Only ever out of our own ring: a header may name a key, never bring one.
        key = self._keys.get(str(token.headers().get("kid")))
        if key is None:
            raise Unauthorized("The access token is signed with a key that is not ours.")
        return key

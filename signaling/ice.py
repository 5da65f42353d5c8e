"""The STUN and TURN servers that a caller is told, with credentials that are theirs and short-lived, and the policy."""

import base64
import hashlib
import hmac
from typing import NamedTuple

import msgspec

from hub.kernel.clock import Clock
from hub.kernel.ids import UserId
from hub.kernel.wire import Wire
from signaling.settings import IcePolicy, IceSettings


class IceServer(Wire):
    """An RTCIceServer, as the browser takes it."""

    urls: list[str]
    username: str | msgspec.UnsetType = msgspec.UNSET
    credential: str | msgspec.UnsetType = msgspec.UNSET


class Paths(NamedTuple):
    """How a caller finds a path: an RTCConfiguration has the same two."""

    servers: list[IceServer]
    policy: IcePolicy


class Ice:
    """Makes the list for one user. Empty where the operator configured nothing."""

    def __init__(self, settings: IceSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def paths(self, user_id: UserId) -> Paths:
        """The servers for a user, and whether media may go directly."""
        return Paths(self.servers(user_id), self._settings.policy)

    def no_paths(self) -> Paths:
        """For a call that is over."""
        return Paths([], self._settings.policy)

    def servers(self, user_id: UserId) -> list[IceServer]:
        """STUN servers, and TURN servers with a time-limited credential."""
        servers = []
        if self._settings.stun_urls:
            servers.append(IceServer(urls=list(self._settings.stun_urls)))
        if self._settings.has_turn:
            expires_at = self._clock.now_ms() // 1000 + self._settings.turn_credential_s
            username, credential = turn_credential(self._settings.turn_secret, user_id, expires_at)
            urls = list(self._settings.turn_urls)
            servers.append(IceServer(urls=urls, username=username, credential=credential))
        return servers


def turn_credential(secret: str, user_id: UserId, expires_at_s: int) -> tuple[str, str]:
    """User name and password in the scheme that coturn calls ``use-auth-secret`` (draft-uberti-behave-turn-rest).

    SHA-1 is the scheme's choice; as an HMAC key check it is not weakened by collisions.
    """
    username = f"{expires_at_s}:{user_id}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(digest).decode()

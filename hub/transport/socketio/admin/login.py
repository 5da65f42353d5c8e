"""Who may sign in to the Admin UI, and the sessions by which its page signs in again after a reload."""

from __future__ import annotations

import hashlib
import hmac
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import orjson

from hub.kernel.clock import Clock

SESSION_S: Final = 86_400
"""How long a session is good for: as the protocol's own server keeps them."""
_SALT: Final = b"sessions of the socket.io admin ui"
_SCRYPT: Final = {"n": 1 << 14, "r": 8, "p": 1}
"""50 ms, once: whoever has a session id, and guesses at the password behind it, pays so much for each guess."""

Credentials: TypeAlias = Mapping[str, Any]
Auth: TypeAlias = Literal[False] | Credentials | Sequence[Credentials] | Callable[[Any], bool | Awaitable[bool]]
"""What ``instrument()`` takes: the login, several of them, or who looks at one; ``False`` lets everybody in."""


class Login:
    """Compares logins, or has them looked at. Raises ValueError for an ``auth`` by which nobody could sign in.

    A session id is signed with a key made from the credentials. So servers with the same ones take each other's, none
    keeps any, and new credentials end them all.
    """

    def __init__(self, auth: Auth | None, clock: Clock) -> None:
        if auth is None or not (auth is False or auth):
            raise ValueError("auth must be a login, a list of them or a function; False lets everybody in")
        self._clock = clock
        self._everybody = auth is False
        self._look: Callable[[Any], bool | Awaitable[bool]] | None = None
        self._known: list[bytes] = []
        if callable(auth):
            self._look = auth
        elif auth is not False:
            self._known = [_canonical(auth)] if isinstance(auth, Mapping) else [_canonical(one) for one in auth]
        self._key = hashlib.scrypt(b"\n".join(self._known), salt=_SALT, dklen=32, **_SCRYPT) if self._known else b""

    async def admits(self, given: Any) -> bool:
        """Whether these credentials, or this session, are good."""
        if self._look is not None:
            answer = self._look(given)
            return bool(await answer if inspect.isawaitable(answer) else answer)
        return self._everybody or self._is_known(given) or self._is_session(given)

    def session_for(self, given: Any) -> str | None:
        """A session id for known credentials. A session brings no other one, or it would last for ever."""
        if not self._is_known(given):
            return None
        ends = str(self._clock.now_ms() // 1000 + SESSION_S)
        return f"{ends}.{self._signature(ends)}"

    def _is_known(self, given: Any) -> bool:
        try:
            canonical = _canonical(given)
        except TypeError:  # bytes, or text that is none
            return False
        return sum(hmac.compare_digest(canonical, known) for known in self._known) > 0  # any() would tell which

    def _is_session(self, given: Any) -> bool:
        session = given.get("sessionId") if isinstance(given, dict) else None
        if not self._key or not isinstance(session, str) or not session.isascii():
            return False
        ends, _, signature = session.partition(".")
        return (
            hmac.compare_digest(signature, self._signature(ends))
            and ends.isdigit()
            and int(ends) * 1000 > self._clock.now_ms()
        )

    def _signature(self, ends: str) -> str:
        return hmac.digest(self._key, ends.encode(), "sha256").hex()


def _canonical(credentials: Any) -> bytes:
    return orjson.dumps(credentials, None, orjson.OPT_SORT_KEYS)

"""Sends deliveries: signs them, and asks no address that is not public."""

import socket
from typing import Protocol

import aiohttp
from aiohttp.connector import AddrInfoType

from collab.webhooks.model import Outcome, is_public

TIMEOUT_S = 10.0
"""For an attempt as a whole. A receiver that has more to do should take the delivery first, and do it then."""
AGENT = "SparkleHub-Webhooks/1"


class Sender(Protocol):
    """Makes one attempt."""

    async def send(self, url: str, headers: dict[str, str], body: bytes) -> Outcome:
        """POST, and say how that ended. Never raises."""
        ...


class NotPublic(OSError):
    """The address is of a network that is not the receiver's to be reached in."""


class HttpSender:
    """Implements Sender with aiohttp.

    What is checked is the address that is connected to, in the moment in which its socket is made: a name that is
    resolved to another address later, or to one of each kind, leads nowhere else. Redirects are not followed at all, so
    that none leads inside. Of an answer only the status is read.
    """

    def __init__(self, *, private: bool = False) -> None:
        self._private = private
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Be ready to send."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=20, force_close=True, socket_factory=self._socket),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": AGENT},
            trust_env=False,  # a proxy would connect to what is not checked here
        )

    async def close(self) -> None:
        """Give up what is under way, and send nothing more."""
        if self._session is not None:
            await self._session.close()

    async def send(self, url: str, headers: dict[str, str], body: bytes) -> Outcome:
        """See Sender."""
        if self._session is None:
            raise RuntimeError("not opened")
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
                answer.close()  # unread: what it may be, and how long, is the receiver's to choose
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(error=_reason(error))
        if 300 <= status < 400:
            return Outcome(status, "it redirects, which is not followed")
        return Outcome(status, None if 200 <= status < 300 else f"it answered {status}")

    def _socket(self, address: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, where = address
        if not self._private and not is_public(str(where[0])):
            raise NotPublic("the address is not public")
        return socket.socket(family, kind, protocol)


def _reason(error: BaseException) -> str:
    """What the owner is told: nothing of the hub's network, such as which of its ports refuse."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, NotPublic):
            return "the address is not public"
        seen = getattr(seen, "os_error", None) or seen.__cause__
    if isinstance(error, TimeoutError):
        return f"it did not answer within {TIMEOUT_S:g} s"
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return "the address is invalid"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(error, aiohttp.ClientSSLError):
        return "its certificate is not valid"
    return "it could not be reached"

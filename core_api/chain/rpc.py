"""Our client of an Ethereum node: JSON-RPC over HTTP, and web3 on top for those who want it.

Three outcomes, and no others: a result; `ChainUnavailable`, which says nothing about what was asked; `RpcRefused`, the
node's own no. web3 is imported at the first use of `w3`, in a thread: it takes more than a second.
"""

import asyncio
import itertools
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from core_api.chain.errors import ChainUnavailable
from core_api.chain.ledger import ChainIdentity
from core_api.chain.recursion import import_py_ecc
from core_api.chain.refusals import RpcRefused
from core_api.chain.settings import ChainSettings

if TYPE_CHECKING:
    from web3 import AsyncWeb3

log = logging.getLogger(__name__)

_MOST_BYTES = 32 << 20  # of an answer: a range of logs is some megabytes; a node gone mad must not fill our memory
_BUSY = frozenset({-32005, -32002})  # "limit exceeded" and "resource unavailable" of EIP-1474: the node's 503


class ChainClient:
    """One node of one chain. For one event loop; make it anywhere, `close` it in the loop that used it."""

    def __init__(self, url: str | None, settings: ChainSettings) -> None:
        """Without a `url` everything raises ChainUnavailable. Nothing is connected before the first request."""
        self._url = url
        # All that may be told of the address: the rest of it has passwords and API keys.
        self._where = (urlsplit(url).hostname or "?") if url else "no CHAIN_RPC_URL"
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._numbers = itertools.count(1)
        self._answers = True  # as far as we know: what is said once in the log
        self._closed = False
        self._chain_id: int | None = None
        self._w3: AsyncWeb3[Any] | None = None
        self._importing = asyncio.Lock()

    async def request(self, method: str, *params: Any) -> Any:
        """The result of one call; bytes in `params` are sent in hexadecimal.

        Raises RpcRefused, or ChainUnavailable when there is no connection, no answer in time, or none that is JSON-RPC.
        Nothing is repeated here: only the caller knows what may happen twice.
        """
        if self._url is None:
            raise ChainUnavailable("This hub has no chain.")
        number = next(self._numbers)
        call = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        try:
            result = _result(await self._post(self._url, orjson.dumps(call, default=_in_hexadecimal)), number)
        except _NoAnswer as error:
            self._note(str(error))
            raise ChainUnavailable from None
        except RpcRefused:
            self._note(None)
            raise
        self._note(None)
        return result

    async def chain_identity(self) -> ChainIdentity:
        """Which chain the node has, asked anew. Raises as `request`.

        A node that changes to another chain id under way is not worked with any more: ChainUnavailable, until it has
        the first one again. A new first block is another matter: embedded chains forget, and callers look for it.
        """
        chain_id = await self.request("eth_chainId")
        genesis = await self.request("eth_getBlockByNumber", "0x0", False)
        try:
            identity = ChainIdentity(int(chain_id, 16), str(genesis["hash"]))
        except (TypeError, ValueError, KeyError):
            raise ChainUnavailable from None
        if self._chain_id is None:
            self._chain_id = identity.chain_id
        if identity.chain_id != self._chain_id:
            log.error("the node at %s has changed from chain %d to %d", self._where, self._chain_id, identity.chain_id)
            raise ChainUnavailable
        return identity

    async def w3(self) -> "AsyncWeb3[Any]":
        """web3 over this client: the same errors, whatever is called on it. Raises ChainUnavailable without a URL."""
        if self._url is None:
            raise ChainUnavailable("This hub has no chain.")
        async with self._importing:
            if self._w3 is None:
                self._w3 = await asyncio.to_thread(_make_web3, self)
        return self._w3

    async def close(self) -> None:
        """Close the connections; what is under way, and all after it, raises ChainUnavailable. Idempotent."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _post(self, url: str, body: bytes) -> bytes:
        if self._closed:
            raise _NoAnswer("the hub stops")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._settings.connections),
                headers={"Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=self._settings.request_timeout_s),
            )
        try:
            async with self._session.post(url, data=body, allow_redirects=False) as response:
                if response.status != 200:
                    raise _NoAnswer(f"HTTP status {response.status}")
                return await _read(response)
        except (aiohttp.ClientError, OSError, RuntimeError) as error:  # RuntimeError: the session was closed meanwhile
            raise _NoAnswer(type(error).__name__) from None  # the text of some has the URL in it

    def _note(self, trouble: str | None) -> None:
        """Log that the node has stopped answering, or answers again; not every request."""
        if self._answers == (trouble is None):
            return
        self._answers = trouble is None
        if trouble is None:
            log.info("the chain's node at %s answers again", self._where)
        else:
            log.warning("the chain's node at %s does not answer: %s", self._where, trouble)


def _make_web3(client: ChainClient) -> "AsyncWeb3[Any]":
    import_py_ecc()
    from core_api.chain.web3_provider import make_web3  # noqa: PLC0415 more than a second: in a thread, at first use

    return make_web3(client)


class _NoAnswer(Exception):
    """No answer that could be used, and why: for our log, not for clients."""


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            raise _NoAnswer(f"an answer of more than {_MOST_BYTES} bytes")
    return b"".join(parts)


def _result(raw: bytes, number: int) -> Any:
    """The result in an answer to call `number`; raises what the node says instead of one."""
    try:
        answer = orjson.loads(raw)
    except ValueError:
        raise _NoAnswer("an answer that is not JSON") from None
    match answer:
        case {"id": answered, "error": {"code": int(code), "message": str(message), **rest}} if answered == number:
            if code in _BUSY:
                raise _NoAnswer(f"JSON-RPC error {code}")
            raise RpcRefused(code, message, rest.get("data"))
        case {"id": answered, "result": result} if answered == number:
            return result
        case _:
            raise _NoAnswer("an answer that is not to our call")


def _in_hexadecimal(value: object) -> Any:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, Mapping):  # web3 has its own
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be sent to a node")

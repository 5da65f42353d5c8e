"""JSON-RPC over HTTP: one request or a batch by POST, and GET for a line that says what runs here."""

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import orjson
from aiohttp import web

from hub.embedded.chain_json import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, UNKNOWN_METHOD, RpcError
from hub.embedded.errors import EmbeddedError

log = logging.getLogger(__name__)

MOST_BYTES = 5 << 20
"""Of a request; geth takes as much. The largest contract there can be has 48 KiB of creation code."""
MOST_CALLS = 1000
"""In a batch; geth takes as many."""
_INTERNAL_ERROR = -32603

Methods = Mapping[str, Callable[..., Any]]


class Chain(Protocol):
    """What the server puts on the wire."""

    @property
    def description(self) -> str:
        """What it is and how long it remembers, for the log."""
        ...

    async def answer(self, body: bytes) -> bytes:
        """The answer to a request body; empty if it had only notifications. EmbeddedError: there is none, ask again."""
        ...


def application(chain: Chain) -> web.Application:
    """An aiohttp application that answers for `chain`."""

    async def rpc(request: web.Request) -> web.Response:
        # A browser sends this type across origins only after asking, and nobody here says yes: so a page that some
        # developer has open cannot use the unlocked accounts.
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="send JSON-RPC as application/json\n")
        try:
            answer = await chain.answer(await request.read())
        except EmbeddedError as error:
            raise web.HTTPBadGateway(text=f"{error}\n") from error
        return web.Response(body=answer, content_type="application/json")

    async def describe(request: web.Request) -> web.Response:
        return web.Response(text=chain.description)

    app = web.Application(client_max_size=MOST_BYTES)
    app.add_routes([web.post("/", rpc), web.get("/", describe)])
    return app


def answer(methods: Methods, body: bytes) -> bytes:
    """Carry out the call or the batch in `body`, in its order."""
    try:
        request = orjson.loads(body)  # which bounds the depth; json's ends with the stack, as py-evm lifts its limit
    except ValueError:
        return _encode(_failed(None, RpcError(PARSE_ERROR, "the request is not valid JSON")))
    if not isinstance(request, list):
        done = _carry_out(methods, request)
        return b"" if done is None else _encode(done)
    if not 0 < len(request) <= MOST_CALLS:
        return _encode(_failed(None, RpcError(INVALID_REQUEST, f"a batch has 1 to {MOST_CALLS} calls")))
    answers = [done for one in request if (done := _carry_out(methods, one)) is not None]
    return _encode(answers) if answers else b""


def _carry_out(methods: Methods, request: object) -> dict[str, Any] | None:
    """One call; None for a notification, which gets no answer."""
    match request:
        case {"jsonrpc": "2.0", "method": str(name), **rest} if isinstance(params := rest.get("params", []), list):
            call_id = rest.get("id")
        case _:
            return _failed(None, RpcError(INVALID_REQUEST, "this is no JSON-RPC 2.0 call with a list of parameters"))
    try:
        done = {"jsonrpc": "2.0", "id": call_id, "result": _call(methods, name, params)}
    except RpcError as error:
        done = _failed(call_id, error)
    except Exception:
        log.exception("%s failed", name)
        done = _failed(call_id, RpcError(_INTERNAL_ERROR, "internal error; the chain's log has the reason"))
    return done if "id" in rest else None


def _call(methods: Methods, name: str, params: Sequence[Any]) -> Any:
    method = methods.get(name)
    if method is None:
        raise RpcError(UNKNOWN_METHOD, f"the method {name[:100]} does not exist or is not available")
    try:
        inspect.signature(method).bind(*params)
    except TypeError as error:
        raise RpcError(INVALID_PARAMS, f"{name}: {error}") from None
    return method(*params)


def _failed(call_id: object, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call_id, "error": error.to_wire()}


def _encode(value: object) -> bytes:
    return orjson.dumps(value)

"""REST endpoints on aiohttp: credentials, input, idempotency, ETags, answers."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from aiohttp import web

from hub.kernel import wire
from hub.kernel.errors import Forbidden, InvalidPayload, MalformedBody, PreconditionFailed, RateLimited, Unauthorized
from hub.kernel.events import Actor
from hub.kernel.http import Client, Endpoint, File, Reply, RestApi
from hub.kernel.limits import UNLIMITED
from hub.kernel.ports import Answers, Authenticator, Limits, StaffRoles, StoredAnswer

BASE = "/api/v1"
MAX_BODY_BYTES = 1_000_000
MAX_KEY_LENGTH = 200
"""Of an Idempotency-Key; a UUID has 36."""
VERSION_TAG = re.compile(r'"(0|[1-9][0-9]{0,8})"')
"""A version in If-Match: nine digits at most, since it is compared with an integer column."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Nobody:
    """Implements hub.kernel.ports.StaffRoles where there is no staff."""

    async def require(self, actor: Actor, role: str) -> None:
        """See StaffRoles."""
        raise Forbidden


def add_endpoints(
    app: web.Application,
    apis: Iterable[RestApi],
    authenticator: Authenticator,
    answers: Answers,
    limits: Limits = UNLIMITED,
    staff: StaffRoles | None = None,
) -> None:
    """Route every endpoint of ``apis`` below BASE. Without ``staff``, what is for them is for nobody."""
    for api in apis:
        for endpoint in api.endpoints:
            handler = bind(endpoint, authenticator, answers, limits, staff or Nobody())
            app.router.add_route(endpoint.method, BASE + endpoint.path, handler)
            if endpoint.method == "GET":  # aiohttp leaves the body of the answer out
                app.router.add_route("HEAD", BASE + endpoint.path, handler)


def bind(
    endpoint: Endpoint, authenticator: Authenticator, answers: Answers, limits: Limits, staff: StaffRoles
) -> Handler:
    """The aiohttp handler of one endpoint. HubErrors pass through it to the error middleware."""
    read_input = _input_reader(endpoint)

    def take(user_id: str | None, source: str | None) -> None:
        if wait := limits.wait(endpoint.name, user_id, source):
            raise RateLimited(retry_after=wait)

    async def handle(request: web.Request) -> web.Response:
        take(None, limits.source(request.remote or ""))  # first: a token is verified in the time of many refusals
        actor = await _actor(request, endpoint, authenticator)
        if actor is not None:
            take(actor.user_id, None)
            if endpoint.role is not None:  # before anything is read, and before a kept answer is given again
                await staff.require(actor, endpoint.role)
        body = await request.read() if endpoint.body is not None or request.can_read_body else b""
        arguments = read_input(request, body, actor)
        key = request.headers.get("Idempotency-Key")
        if endpoint.method == "GET" or key is None or actor is None:
            return _response(endpoint, request, await endpoint.handler(**arguments))
        return await _once(endpoint, request, body, arguments, actor, key, answers)

    return handle


async def actor_of(request: web.Request, authenticator: Authenticator) -> Actor | None:
    """Who the request's bearer token speaks for; ``None`` without one. Raises Unauthorized, TokenExpired, Suspended."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    if not header.isascii():
        raise Unauthorized("The Authorization header is not ASCII.")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized("The Authorization header must be: Bearer <access token>.")
    return (await authenticator.authenticate(token.strip())).actor


async def _actor(request: web.Request, endpoint: Endpoint, authenticator: Authenticator) -> Actor | None:
    if endpoint.caller == "none":
        return None
    actor = await actor_of(request, authenticator)
    if actor is None and endpoint.caller == "required":
        raise Unauthorized
    return actor


def _input_reader(endpoint: Endpoint) -> Callable[[web.Request, bytes, Actor | None], dict[str, Any]]:
    """A function from the request to the handler's keyword arguments, all decided beforehand that can be."""
    names = {name: _camel(name) for name in endpoint.path_parameters}
    decoder = None if endpoint.body is None else msgspec.json.Decoder(endpoint.body)

    def read(request: web.Request, body: bytes, actor: Actor | None) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for name, shape in endpoint.path_parameters.items():
            arguments[name] = _path_value(names[name], request.match_info[names[name]], shape)
        if endpoint.query is not None:
            arguments["query"] = wire.decode(_query(request), endpoint.query, strict=False)
        if decoder is not None and endpoint.body is not None:
            arguments["body"] = _body(request, body, decoder, endpoint.body)
        if endpoint.caller != "none":
            arguments["actor"] = actor
        if endpoint.takes_client:
            arguments["client"] = _client(request)
        if endpoint.takes_if_match:
            arguments["if_match"] = _if_match(request)
        return arguments

    return read


def _client(request: web.Request) -> Client:
    # aiohttp gives bytes that are no UTF-8 as lone surrogates, which can be neither stored nor sent.
    agent = request.headers.get("User-Agent", "").encode(errors="surrogateescape").decode(errors="replace")
    return Client(request.remote or "", agent[:300])


def _path_value(name: str, text: str, shape: Any) -> Any:
    try:
        return wire.decode(text, shape, strict=False)
    except InvalidPayload as error:
        detail = error.details["errors"][0]["detail"]
        raise InvalidPayload(
            f"{detail} (in the path: {name})", errors=[{"pointer": f"/{name}", "detail": detail}]
        ) from None


def _query(request: web.Request) -> dict[str, str]:
    repeated = [name for name in request.query if len(request.query.getall(name)) > 1]
    if repeated:  # which of two values counts is a question that proxies and servers answer differently
        errors = [{"pointer": f"/{name}", "detail": "Given more than once"} for name in sorted(set(repeated))]
        raise InvalidPayload("A query parameter is given more than once.", errors=errors)
    return dict(request.query)


def _body(request: web.Request, body: bytes, decoder: msgspec.json.Decoder[Any], shape: type[Any]) -> Any:
    if request.content_type != "application/json":
        raise MalformedBody("Send the body as application/json.")
    try:
        try:
            return decoder.decode(body)
        except msgspec.ValidationError:
            value = msgspec.json.decode(body)  # what comes after the first violation may be no JSON at all
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"The body is not valid JSON: {error}") from None
    return wire.decode(value, shape)  # raises, with every violation listed


def _if_match(request: web.Request) -> int | None:
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    if "," in header or len(request.headers.getall("If-Match")) > 1:
        raise InvalidPayload("If-Match takes one ETag here.", errors=[])
    if (tag := VERSION_TAG.fullmatch(header.strip())) is None:
        raise PreconditionFailed("If-Match is none of our ETags.")
    return int(tag[1])


def _client_has(request: web.Request, etag: str) -> bool:
    """Whether ``If-None-Match`` says that the client has this version."""
    known = [tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")]
    return "*" in known or etag in known or f"W/{etag}" in known


def _response(endpoint: Endpoint, request: web.Request, result: Any) -> web.Response:
    reply: Reply[Any] = result if isinstance(result, Reply) else Reply(result)
    headers = {}
    file = reply.body if isinstance(reply.body, File) else None
    if file is not None:
        # Saved and never shown: what people wrote must not run in the hub's own origin.
        headers["Content-Disposition"] = f'attachment; filename="{file.name}"'
        headers["X-Content-Type-Options"] = "nosniff"
        body: bytes | None = file.data
    else:
        body = None if reply.body is None else msgspec.json.encode(reply.body)
    if reply.version is not None:
        headers["ETag"] = f'"{reply.version}"'
    elif endpoint.method == "GET" and isinstance(result, Reply) and body is not None:
        headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if endpoint.method == "GET" and "ETag" in headers and _client_has(request, headers["ETag"]):
        return web.Response(status=304, headers=headers)
    if reply.location is not None:
        headers["Location"] = BASE + reply.location
    if body is None:
        return web.Response(status=204, headers=headers)
    status = reply.status or endpoint.status
    media_type = "application/json" if file is None else file.media_type
    return web.Response(body=body, status=status, headers=headers, content_type=media_type)


async def _once(
    endpoint: Endpoint,
    request: web.Request,
    body: bytes,
    arguments: dict[str, Any],
    actor: Actor,
    key: str,
    answers: Answers,
) -> web.Response:
    """Run the handler at most once for a key, and give its first answer again (the IETF Idempotency-Key draft)."""
    if not key.strip() or len(key) > MAX_KEY_LENGTH:
        raise InvalidPayload(f"Idempotency-Key must have 1 to {MAX_KEY_LENGTH} characters.", errors=[])
    fingerprint = hashlib.sha256(b"\0".join([request.method.encode(), request.path_qs.encode(), body])).digest()
    kept = await answers.begin(actor.user_id, key, fingerprint)
    if kept is not None:
        headers = kept.headers | {"Idempotency-Replayed": "true"}
        return web.Response(body=kept.body, status=kept.status, headers=headers)
    try:
        result = await endpoint.handler(**arguments)
        response = _response(endpoint, request, result)
    except BaseException:
        await answers.finish(actor.user_id, key, None)
        raise
    content = response.body if isinstance(response.body, bytes) else b""
    if isinstance(result, Reply) and result.kept is not None:
        content = msgspec.json.encode(result.kept)
    kept_headers = {
        name: response.headers[name] for name in ("Content-Type", "ETag", "Location") if name in response.headers
    }
    await answers.finish(actor.user_id, key, StoredAnswer(response.status, kept_headers, content))
    return response


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)

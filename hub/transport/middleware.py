"""What happens to every HTTP request: its id, its log line, its metrics, and errors as problem documents."""

import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware
from prometheus_client import Histogram

from hub.kernel.errors import HubError, MalformedBody, NotFound, PayloadTooLarge, Unavailable
from hub.kernel.ids import new_ulid
from hub.transport.engineio.addresses import plain
from hub.transport.origins import OriginRule
from hub.transport.outages import as_hub_error
from hub.transport.problems import BadRequest, ForbiddenOrigin, MethodNotAllowed, problem, problem_of

log = logging.getLogger(__name__)

SLOW_S = 1.0
"""Requests that took longer are logged; aiohttp's own access log is off, it costs as much CPU as the request."""
SECONDS = Histogram(
    "hub_http_request_seconds",
    "HTTP requests by method, route template and status",
    ["method", "route", "status"],
    buckets=(0.005, 0.02, 0.1, 0.5, 2.5),
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Named in the metrics."""


class NoClientFaults(logging.Filter):
    """Drops what aiohttp logs as errors, with a traceback, of requests that are no proper HTTP: their senders are told.

    For the logger ``aiohttp.server``.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record stays."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError | web.RequestPayloadError)


NO_CLIENT_FAULTS = NoClientFaults()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def scope(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, bind it to the log lines, measure it, and turn whatever it raises into an answer."""
    request_id = new_ulid()
    started = time.perf_counter()
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        try:
            response = await handler(request)
        except Exception as error:  # the outermost frame of a request
            response = _answer(request, error)
        seconds = time.perf_counter() - started
        lasts = _is_engine_io(request) or response.status == HTTPStatus.SWITCHING_PROTOCOLS
        if seconds > SLOW_S and not lasts:
            log.warning("slow request: %s %s took %.1f s", request.method, _route(request), seconds)
    if not lasts:
        method = request.method if request.method in METHODS else "(other)"
        SECONDS.labels(method, _route(request), response.status).observe(seconds)
    if not response.prepared:
        response.headers["X-Request-Id"] = request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        if request.path.startswith("/api/"):
            response.headers.setdefault("Cache-Control", "no-store")
    return response


@web.middleware
async def peers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Have ``request.remote`` be an address as Engine.IO sees it: one client is the same whatever it asks for."""
    remote = request.remote or ""
    address = plain(remote)
    return await handler(request if address == remote else request.clone(remote=address))


def _answer(request: web.Request, error: Exception) -> web.Response:
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return problem_of(PayloadTooLarge("The body is larger than the limit of one megabyte."))
    if isinstance(error, web.RequestPayloadError):
        return problem_of(MalformedBody("The body is not what its Content-Encoding or length says."))
    if isinstance(error, web.HTTPException):
        return _of_aiohttp(error)
    known = as_hub_error(error)
    if known is None:
        log.exception("%s %s failed", request.method, _route(request), exc_info=error)
        return problem_of(HubError())
    if isinstance(known, Unavailable):
        log.warning("%s %s: %r", request.method, _route(request), error)
    return problem_of(known)


def _of_aiohttp(error: web.HTTPException) -> web.Response:
    """What the router says: no such path, or not by this method."""
    if isinstance(error, web.HTTPNotFound):
        return problem_of(NotFound("There is nothing at this address."))
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"This address takes {allowed}."
        return problem(405, MethodNotAllowed.code, detail, headers={"Allow": allowed}, temporary=False)
    return problem(error.status, BadRequest.code, error.reason, temporary=error.status >= 500)


def _route(request: web.Request) -> str:
    """The route template: paths themselves are without number, and metrics must not be."""
    resource = request.match_info.route.resource
    return "(none)" if resource is None else resource.canonical


def _is_engine_io(request: web.Request) -> bool:
    """Whether it is a connection of Socket.IO or a part of one, which is answered when there is something to say."""
    return request.path.startswith("/socket.io")


def _is_socket(request: web.Request) -> bool:
    """Whether it may become a connection: then its Origin counts."""
    return _is_engine_io(request) or request.headers.get("Upgrade", "").lower() == "websocket"


def origins(rule: OriginRule) -> Middleware:
    """A middleware that refuses what may become a socket from foreign origins, before Engine.IO sees it."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _is_socket(request) and not rule.allows(request.headers.get("Origin"), request.host):
            return problem_of(ForbiddenOrigin())
        return await handler(request)

    return check

"""Declarative REST: a typed function becomes an endpoint; hub.transport binds it to aiohttp and describes it."""

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from hub.kernel.events import Actor
from hub.kernel.limits import READ, WRITE, Limit

T = TypeVar("T")
Handler = Callable[..., Awaitable[Any]]
PATH_PARAMETER = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True)
class Client:
    """The far end of a request: for limits and for the list of sessions, never for access."""

    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """An answer with more than its body.

    ``version`` becomes the strong ETag that ``If-Match`` is compared with. Without it, the answer to a GET has a digest
    of its body as ETag, for ``If-None-Match`` alone.
    """

    body: T
    version: int | None = None
    location: str | None = None
    status: int | None = None
    kept: T | None = None
    """What a repeat under the same Idempotency-Key is answered with, if that must not be ``body``: one with a secret
    that is shown once, and stored nowhere."""


@dataclass(frozen=True, slots=True)
class File:
    """A body that is no JSON: a file to save, under a name of ASCII letters, digits, dots and dashes."""

    data: bytes
    media_type: str
    name: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the REST interface, as read from the handler's signature."""

    method: str
    path: str
    handler: Handler
    status: int
    tag: str
    path_parameters: dict[str, Any]
    """Python name → type, for each ``{camelCase}`` of the path."""
    query: type[msgspec.Struct] | None
    body: type[msgspec.Struct] | None
    response: Any
    caller: str
    """``required``, ``optional`` or ``none``."""
    takes_client: bool
    takes_if_match: bool
    limit: Limit | None
    """How often one user may ask for it; where nobody is asked who they are, one address. ``None``: no limit."""
    role: str | None = None
    """The role on the staff that one must have."""

    @property
    def name(self) -> str:
        """``POST /posts``: as limits and their settings call it."""
        return f"{self.method} {self.path}"

    @property
    def summary(self) -> str:
        """First line of the handler's docstring."""
        return (inspect.getdoc(self.handler) or self.handler.__name__).splitlines()[0]


@dataclass
class RestApi:
    """The endpoints of one feature.

    A handler is an ``async def`` whose parameters say what it takes:

    - the snake_case name of a ``{pathParameter}``: that part of the path, checked against its annotation;
    - ``body`` and ``query``: wire structs;
    - ``actor``: who asks. ``Actor`` refuses strangers with 401, ``Actor | None`` takes them;
    - ``client``: address and user agent;
    - ``if_match``: the version in ``If-Match``, or ``None``.

    It returns a struct, a ``Page``, a ``Reply`` around one, or ``None`` for 204. Errors are HubErrors. Where the caller
    is known, every write takes ``Idempotency-Key``. ``limit`` says how often one user may ask for it, or one address
    where ``actor`` is not taken; more is refused before the body is read.

    With a ``role`` it is for those of the staff who have that one, which is looked up for each request.
    """

    tag: str
    role: str | None = None
    endpoints: list[Endpoint] = field(default_factory=list)

    def get(self, path: str, handler: Handler, *, limit: Limit = READ) -> None:
        """Read something. 200."""
        self._add("GET", path, handler, 200, limit)

    def post(self, path: str, handler: Handler, *, status: int = 201, limit: Limit = WRITE) -> None:
        """Create something (201), or act (give the status)."""
        self._add("POST", path, handler, status, limit)

    def put(self, path: str, handler: Handler, *, limit: Limit = WRITE) -> None:
        """Replace something. 200, or 204 without a body."""
        self._add("PUT", path, handler, 200, limit)

    def patch(self, path: str, handler: Handler, *, limit: Limit = WRITE) -> None:
        """Change the fields that are given. 200."""
        self._add("PATCH", path, handler, 200, limit)

    def delete(self, path: str, handler: Handler, *, limit: Limit = WRITE) -> None:
        """Remove something. 204."""
        self._add("DELETE", path, handler, 204, limit)

    def _add(self, method: str, path: str, handler: Handler, status: int, limit: Limit) -> None:
        hints = get_type_hints(handler, include_extras=True)
        response = hints.pop("return", None)
        names = {snake(name) for name in PATH_PARAMETER.findall(path)}
        known = names | {"body", "query", "actor", "client", "if_match"}
        if bare := inspect.signature(handler).parameters.keys() - hints.keys():
            raise TypeError(f"{method} {path}: parameters {bare} have no annotation")
        if (strange := hints.keys() - known) or (missing := names - hints.keys()):
            raise TypeError(f"{method} {path}: parameters {strange or missing} do not fit the path")
        caller = _caller(hints.get("actor"))
        if self.role is not None and caller != "required":
            raise TypeError(f"{method} {path}: is for the staff, and takes no actor")
        response = unwrap_reply(response)
        self.endpoints.append(
            Endpoint(
                method=method,
                path=path,
                handler=handler,
                status=204 if response in (None, type(None)) else status,
                tag=self.tag,
                path_parameters={name: hints[name] for name in names},
                query=hints.get("query"),
                body=hints.get("body"),
                response=response,
                caller=caller,
                takes_client="client" in hints,
                takes_if_match="if_match" in hints,
                limit=limit,
                role=self.role,
            )
        )


def snake(name: str) -> str:
    """``userId`` → ``user_id``."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def unwrap_reply(annotation: Any) -> Any:
    """The body's type: of ``Reply[T]``, ``T``."""
    return get_args(annotation)[0] if get_origin(annotation) is Reply else annotation


def _caller(annotation: Any) -> str:
    if annotation is None:
        return "none"
    return "required" if annotation is Actor else "optional"

"""hub.transport.rest under requests of every kind, on an API of its own without any server."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from hub.kernel.errors import Conflict, Forbidden, Unauthorized
from hub.kernel.events import Actor
from hub.kernel.http import Client, Reply, RestApi
from hub.kernel.ids import SessionId, UserId
from hub.kernel.ports import StoredAnswer
from hub.kernel.wire import Uuid, Wire
from hub.transport import middleware, rest

BOOK = "/api/v1/books/00000000-0000-4000-8000-000000000001"
BOOKS = "/api/v1/books"
SIGNED_IN = {"Authorization": "Bearer good"}


class Book(Wire):
    title: str
    pages: int = 0


class Search(Wire):
    pages: int = 0


class Seen(Wire):
    agent: str


class Library:
    def __init__(self) -> None:
        self.written = 0
        self.fails_with: Exception | None = None

    async def read(self, book_id: Uuid, query: Search, actor: Actor | None) -> Reply[Book]:
        """Read a book."""
        return Reply(Book(title=book_id, pages=query.pages), version=7)

    async def write(self, body: Book, actor: Actor) -> Book:
        """Write a book."""
        if self.fails_with is not None:
            raise self.fails_with
        self.written += 1
        return body

    async def change(self, book_id: Uuid, body: Book, actor: Actor, if_match: int | None) -> Reply[Book]:
        """Change a book."""
        return Reply(body, version=if_match)

    async def look(self, client: Client) -> Seen:
        """Who looks."""
        return Seen(agent=client.user_agent)


class Tokens:
    async def authenticate(self, access_token: str) -> Any:
        if access_token != "good":
            raise Unauthorized
        return SimpleNamespace(actor=Actor(UserId("ada"), SessionId("s")), expires_at_ms=0)


class MemoryAnswers:
    """Implements hub.kernel.ports.Answers."""

    def __init__(self) -> None:
        self.kept: dict[str, StoredAnswer | None] = {}

    async def begin(self, user_id: str, key: str, fingerprint: bytes) -> StoredAnswer | None:
        if key not in self.kept:
            self.kept[key] = None
            return None
        if (answer := self.kept[key]) is None:
            raise Conflict
        return answer

    async def finish(self, user_id: str, key: str, answer: StoredAnswer | None) -> None:
        if answer is None:
            del self.kept[key]
        else:
            self.kept[key] = answer


Http = TestClient[web.Request, web.Application]


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
async def http(library: Library) -> AsyncIterator[Http]:
    api = RestApi("books")
    api.get("/books/{bookId}", library.read)
    api.post("/books", library.write)
    api.patch("/books/{bookId}", library.change)
    api.get("/look", library.look)
    logging.getLogger("aiohttp.server").addFilter(middleware.NO_CLIENT_FAULTS)
    app = web.Application(middlewares=[middleware.scope], client_max_size=rest.MAX_BODY_BYTES)
    rest.add_endpoints(app, [api], Tokens(), MemoryAnswers())
    async with TestClient(TestServer(app)) as client:
        yield client


class Spent:
    """Implements hub.kernel.ports.Limits: nobody has anything left of what is named."""

    def __init__(self, whose: str) -> None:
        self._whose = whose
        self.asked: list[tuple[str, str | None, str | None]] = []

    def source(self, address: str) -> str | None:
        return f"of {address}"

    def wait(self, name: str, user_id: str | None, source: str | None) -> float:
        self.asked.append((name, user_id, source))
        return 2.5 if self._whose in (user_id, source) else 0.0

    def wait_for_all(self, counts: Mapping[str, int], user_id: str | None, source: str | None) -> float:
        raise NotImplementedError  # a route is one name


@pytest.mark.parametrize(
    ("whose", "token", "status"),
    [("ada", "good", 429), ("of 127.0.0.1", "good", 429), ("of 127.0.0.1", "bad", 429), ("ada", "bad", 401)],
)
async def test_what_is_over_a_limit_is_refused_before_anything_is_done(
    library: Library, whose: str, token: str, status: int
) -> None:
    limits, api = Spent(whose), RestApi("books")
    api.post("/books", library.write)
    app = web.Application(middlewares=[middleware.scope])
    rest.add_endpoints(app, [api], Tokens(), MemoryAnswers(), limits)
    async with TestClient(TestServer(app)) as client:
        headers = {"Authorization": f"Bearer {token}"}
        async with client.post(BOOKS, data=b"no JSON", headers=headers) as response:
            assert response.status == status
            assert response.headers.get("Retry-After") == ("3" if status == 429 else None)
    assert library.written == 0
    assert {name for name, _, _ in limits.asked} == {"POST /books"}


class Staff:
    """Implements hub.kernel.ports.StaffRoles."""

    def __init__(self, *admins: str) -> None:
        self.admins = admins

    async def require(self, actor: Actor, role: str) -> None:
        if actor.user_id not in self.admins or role != "admin":
            raise Forbidden


@pytest.mark.parametrize(("staff", "status"), [(Staff("ada"), 201), (Staff("bob"), 403), (None, 403)])
async def test_what_is_for_a_role_is_for_nobody_else_and_not_even_the_answer_that_is_kept(
    library: Library, staff: Staff | None, status: int
) -> None:
    api, kept = RestApi("books", role="admin"), MemoryAnswers()
    api.post("/books", library.write)
    app = web.Application(middlewares=[middleware.scope])
    rest.add_endpoints(app, [api], Tokens(), kept, staff=staff)
    headers = SIGNED_IN | {"Idempotency-Key": "1"}
    async with TestClient(TestServer(app)) as client:
        async with client.post(BOOKS, json={"title": "Ada"}, headers=headers) as response:
            assert response.status == status
        if staff is not None:
            staff.admins = ()
        async with client.post(BOOKS, json={"title": "Ada"}, headers=headers) as response:
            assert response.status == 403
    assert library.written == (status == 201)


def test_what_is_for_a_role_must_take_who_asks(library: Library) -> None:
    with pytest.raises(TypeError, match="takes no actor"):
        RestApi("books", role="admin").get("/look", library.look)


async def test_head_answers_as_get_without_the_body(http: Http) -> None:
    async with http.head(BOOK) as response:
        assert (response.status, response.headers["ETag"], await response.read()) == (200, '"7"', b"")
    async with http.head(BOOK, headers={"If-None-Match": '"7"'}) as response:
        assert response.status == 304


async def test_a_method_that_is_not_served_is_told_which_are(http: Http) -> None:
    for method in ("OPTIONS", "PUT"):
        async with http.request(method, BOOK) as response:
            assert response.status == 405
            assert response.headers["Allow"] == "GET, HEAD, PATCH"
            assert (await response.json(content_type=None))["code"] == "method_not_allowed"


@pytest.mark.parametrize("tag", ['"7"', 'W/"7"', '"1", "7"', "*", '"7","8"'])
async def test_what_the_client_has_is_not_sent_again(http: Http, tag: str) -> None:
    async with http.get(BOOK, headers={"If-None-Match": tag}) as response:
        assert response.status == 304


@pytest.mark.parametrize("tag", ['"70"', "7", '"1", "2"'])
async def test_what_the_client_does_not_have_is_sent(http: Http, tag: str) -> None:
    async with http.get(BOOK, headers={"If-None-Match": tag}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ('"7"', 200),
        (' "7" ', 200),
        ("*", 200),
        ("7", 412),
        ('W/"7"', 412),
        ('"x"', 412),
        ('"07"', 412),
        ('"' + "9" * 5000 + '"', 412),
        ('"99999999999"', 412),
        ('"1", "7"', 422),
    ],
)
async def test_if_match_names_one_version_of_ours(http: Http, tag: str, status: int) -> None:
    async with http.patch(BOOK, json={"title": "t"}, headers=SIGNED_IN | {"If-Match": tag}) as response:
        assert response.status == status


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"title":"t"}', "application/json", 201),
        (b'{"title":"t"}', "application/json; charset=UTF-8", 201),
        (b'{"title":"t"}', "Application/JSON", 201),
        (b'{"title":"t"}', "text/plain", 400),
        (b"", "application/json", 400),
        (b'{"title":"\xff"}', "application/json", 400),
        (b'{"title":"\\ud800"}', "application/json", 400),
        (b'{"title":', "application/json", 400),
        (b'{"title":1} and more', "application/json", 400),
        (b'{"no":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "application/json", 400),
        (b'{"title":"t","pages":1e400}', "application/json", 400),
        (b'{"title":"t","pages":"1"}', "application/json", 422),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
    ],
)
async def test_a_body_is_a_book_or_told_why_not(http: Http, body: bytes, content_type: str, status: int) -> None:
    headers = SIGNED_IN | {"Content-Type": content_type}
    async with http.post(BOOKS, data=body, headers=headers) as response:
        assert response.status == status, await response.text()
        assert response.content_type == ("application/json" if status == 201 else "application/problem+json")


async def test_a_body_above_the_limit_is_refused_however_it_is_sent(http: Http) -> None:
    async def in_chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    zipped = gzip.compress(b" " * 5_000_000)
    for headers, body in (({}, in_chunks()), ({"Content-Encoding": "gzip"}, zipped)):
        all_headers = SIGNED_IN | {"Content-Type": "application/json"} | headers
        async with http.post(BOOKS, data=body, headers=all_headers) as response:
            assert response.status == 413
            assert (await response.json(content_type=None))["code"] == "payload_too_large"


async def test_a_body_that_is_no_gzip_is_its_senders_fault(http: Http, caplog: pytest.LogCaptureFixture) -> None:
    headers = SIGNED_IN | {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with http.post(BOOKS, data=b"no gzip", headers=headers) as response:
        assert response.status == 400
    assert [record for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic good", "good", "Bearer bad", "Bearer  ", "Bearer g\xe9", "Bearer good bad"],
)
async def test_any_other_authorization_is_unauthorized(http: Http, header: str) -> None:
    async with http.post(BOOKS, json={"title": "t"}, headers={"Authorization": header}) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
    async with http.get(BOOK, headers={"Authorization": header}) as response:
        assert response.status == 401, "a wrong token is not the same as none"


@pytest.mark.parametrize("path", ["x", "%00", "%ff", "%2e%2e", "00000000-0000-4000-8000-000000000001%0a"])
async def test_a_path_parameter_that_does_not_fit_is_named(http: Http, path: str) -> None:
    async with http.get(f"{BOOKS}/{path}") as response:
        assert response.status in (404, 422)
        if response.status == 422:
            assert (await response.json(content_type=None))["errors"][0]["pointer"] == "/bookId"


async def test_a_path_parameter_is_decoded(http: Http) -> None:
    async with http.get(BOOK.replace("-", "%2d")) as response:
        assert response.status == 200


@pytest.mark.parametrize("query", ["pages=x", "pages=1&pages=2", "more=1", "pages=%ff", "=1"])
async def test_a_query_that_does_not_fit_is_refused(http: Http, query: str) -> None:
    async with http.get(f"{BOOK}?{query}") as response:
        assert response.status == 422


async def test_a_user_agent_is_text_that_can_be_stored_whatever_bytes_it_came_as(http: Http) -> None:
    assert http.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", http.port)
    writer.write(b"GET /api/v1/look HTTP/1.1\r\nHost: h\r\nConnection: close\r\nUser-Agent: caf\xe9\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith('{"agent":"caf\ufffd"}'.encode())


async def test_a_header_above_the_limit_is_refused_without_a_traceback(
    http: Http, caplog: pytest.LogCaptureFixture
) -> None:
    async with http.get(BOOK, headers={"X-Long": "x" * 20_000}) as response:
        assert response.status == 400
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_repeat_under_one_key_is_done_once_and_answered_alike(http: Http, library: Library) -> None:
    headers = SIGNED_IN | {"Idempotency-Key": "k"}
    async with http.post(BOOKS, json={"title": "t"}, headers=headers) as first:
        body = await first.read()
    async with http.post(BOOKS, json={"title": "t"}, headers=headers) as second:
        assert (second.status, await second.read()) == (201, body)
        assert second.headers["Idempotency-Replayed"] == "true"
    assert library.written == 1


async def test_a_failed_request_gives_its_key_back(http: Http, library: Library) -> None:
    headers = SIGNED_IN | {"Idempotency-Key": "k"}
    library.fails_with = ConnectionResetError()
    async with http.post(BOOKS, json={"title": "t"}, headers=headers) as response:
        assert response.status == 503
    library.fails_with = None
    async with http.post(BOOKS, json={"title": "t"}, headers=headers) as response:
        assert response.status == 201


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_a_key_of_no_use_is_refused(http: Http, key: str) -> None:
    async with http.post(BOOKS, json={"title": "t"}, headers=SIGNED_IN | {"Idempotency-Key": key}) as response:
        assert response.status == 422


async def test_a_bug_is_internal_for_the_client_and_logged_for_us(
    http: Http, library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    library.fails_with = LookupError("secret")
    async with http.post(BOOKS, json={"title": "t"}, headers=SIGNED_IN) as response:
        assert response.status == 500
        assert "secret" not in await response.text()
        assert response.headers["X-Request-Id"]
    assert "secret" in caplog.text

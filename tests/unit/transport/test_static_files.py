"""hub.transport.static_files: the page, its headers, and nothing outside its folder."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from hub.transport import static_files

SCRIPT = b"console.log('hello')" * 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html><title>ä</title>")
    (static / "assets" / "index-abc123.js").write_bytes(SCRIPT)
    (static / "assets" / "notes.bak").write_text("no type that is served")
    (tmp_path / "secret.txt").write_text("outside")
    return static


@pytest.fixture
async def client(folder: Path) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = web.Application()
    static_files.add_routes(app, folder)
    async with TestClient(TestServer(app), auto_decompress=False) as running:
        yield running


Client = TestClient[web.Request, web.Application]


async def test_the_index_is_asked_for_anew_each_time_and_sent_when_it_changed(client: Client) -> None:
    first = await client.get("/")
    assert gzip.decompress(await first.read()).decode() == "<!doctype html><title>ä</title>"
    assert first.headers["Content-Type"] == "text/html; charset=utf-8"
    assert first.headers["Cache-Control"] == "no-cache"

    again = await client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 304
    assert await again.read() == b""
    assert again.headers["ETag"] == first.headers["ETag"]
    assert (await client.get("/", headers={"If-None-Match": '"another"'})).status == 200


async def test_what_has_a_digest_in_its_name_is_kept_for_ever(client: Client) -> None:
    asset = await client.get("/assets/index-abc123.js")
    assert asset.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert asset.headers["Content-Type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize("accepted", ["gzip, deflate, br", "identity", None])
async def test_a_client_gets_gzip_if_it_takes_it(client: Client, accepted: str | None) -> None:
    headers = {aiohttp.hdrs.ACCEPT_ENCODING: accepted} if accepted else {}
    skip = () if accepted else ("Accept-Encoding",)
    answer = await client.get("/assets/index-abc123.js", headers=headers, skip_auto_headers=skip)
    body = await answer.read()
    if accepted and "gzip" in accepted:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(body) < len(SCRIPT)
        body = gzip.decompress(body)
    else:
        assert "Content-Encoding" not in answer.headers
    assert body == SCRIPT
    assert answer.headers["Vary"] == "Accept-Encoding"


async def test_the_page_runs_no_script_and_no_style_but_its_files(client: Client) -> None:
    headers = (await client.get("/")).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "camera=(self)" in headers["Permissions-Policy"]
    assert "geolocation=()" in headers["Permissions-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../../secret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/assets/",
        "/assets",
        "/assets/notes.bak",
        "/index.html",
    ],
)
async def test_nothing_else_is_served(client: Client, path: str) -> None:
    answer = await client.get(URL(path, encoded=True))
    assert answer.status == 404


async def test_head_tells_the_size_without_the_body(client: Client) -> None:
    answer = await client.head("/assets/index-abc123.js", headers={"Accept-Encoding": "identity"})
    assert answer.headers["Content-Length"] == str(len(SCRIPT))
    assert await answer.read() == b""


def test_the_page_may_connect_to_its_own_origin_and_to_those_it_is_given() -> None:
    def connects(*urls: str) -> str:
        policy = static_files.headers(urls)["Content-Security-Policy"]
        return next(part.strip() for part in policy.split(";") if part.strip().startswith("connect-src"))

    assert connects() == "connect-src 'self'"
    assert connects("wss://janus.example:8989/janus") == "connect-src 'self' wss://janus.example:8989"

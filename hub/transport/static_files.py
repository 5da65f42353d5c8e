"""The page at ``/``, as Vite has built it into hub/static. Python serves it alone, out of memory.

Only the names that were found in that folder are served, so no path leads out of it.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

FOLDER = Path(__file__).parents[1] / "static"
INDEX = "index.html"
HEADERS = {
    # 'self' covers the WebSocket of the same host, too. Nothing inline: what somebody wrote never runs.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
        "media-src 'self' blob:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
}
FOR_EVER = "public, max-age=31536000, immutable"
"""Of files with a digest of their content in their name: another content has another name."""
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""Of the files that are served, by suffix; others are not. All of it is text, and worth compressing. The standard
library's table depends on the machine.
"""


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent. ``packed`` is the body with gzip."""

    body: bytes
    packed: bytes
    content_type: str
    etag: str
    cache_control: str

    def answer(self, request: web.Request, policy: Mapping[str, str]) -> web.Response:
        """The response to a request, which may name the version that its sender has, under the headers ``policy``."""
        # A weak one: it names the content, packed or not.
        headers = {**policy, "Cache-Control": self.cache_control, "ETag": f'W/"{self.etag}"'}
        if any(known.value in {self.etag, "*"} for known in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        body = self.body
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            body, headers["Content-Encoding"] = self.packed, "gzip"
        return web.Response(body=body, headers={**headers, "Content-Type": self.content_type})


def add_routes(app: web.Application, folder: Path = FOLDER, connects: Iterable[str] = ()) -> None:
    """Serve every file of ``folder`` at the root, and its index at ``/``. The page may connect to ``connects``, too.

    The folder is listed now and read at the first request: no start should pay for compressing half a megabyte.
    """
    policy = headers(connects)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in TYPES)

    @cache
    def files() -> dict[str, File]:
        return {name: _read(folder, name) for name in names}

    def serve(path: str, name: str) -> None:
        async def answer(request: web.Request) -> web.Response:
            return (await asyncio.to_thread(files))[name].answer(request, policy)

        app.router.add_get(path, answer)

    for name in names:
        serve("/" if name == INDEX else f"/{name}", name)


def headers(connects: Iterable[str] = ()) -> dict[str, str]:
    """The headers of the page, which may connect to the origins of these URLs beside its own."""
    parts = [urlsplit(url) for url in connects]
    origins = " ".join(["'self'", *(f"{part.scheme}://{part.netloc}" for part in parts)])
    policy = HEADERS["Content-Security-Policy"].replace("connect-src 'self'", f"connect-src {origins}")
    return {**HEADERS, "Content-Security-Policy": policy}


def _read(folder: Path, name: str) -> File:
    body = (folder / name).read_bytes()
    return File(
        body=body,
        packed=gzip.compress(body, mtime=0),
        content_type=TYPES[Path(name).suffix],
        etag=hashlib.sha256(body).hexdigest()[:32],
        cache_control=FOR_EVER if name.startswith("assets/") else "no-cache",
    )

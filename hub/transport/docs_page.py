"""The description of the wire, served by every node: ``/openapi.json``, ``/wire.json`` and a page to read,
``/docs``.
"""

import html
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sparkle Hub: API</title>
<style>body{{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}}code{{font-size:.95em}}
td{{padding:.15rem 1rem .15rem 0;vertical-align:top}}h2{{margin-top:2rem}}</style>
<h1>Sparkle Hub</h1>
<p>REST as <a href="/openapi.json">OpenAPI 3.1</a>, socket events and errors as <a href="/wire.json">JSON</a>.</p>
<h2>REST</h2><table>{operations}</table>
<h2>Socket events, client to server</h2><p>{client_events}</p>
<h2>Socket events, server to client</h2><p>{server_events}</p>
<h2>Errors</h2><table>{errors}</table>
</html>"""


def add_routes(app: web.Application, documents: Mapping[str, str]) -> None:
    """Serve each document at the root, and the page made of them."""
    for name, text in documents.items():
        app.router.add_get(f"/{name}", _static(text, "application/json"))
    page = _page(json.loads(documents["openapi.json"]), json.loads(documents["wire.json"]))
    app.router.add_get("/docs", _static(page, "text/html"))


def _static(text: str, content_type: str) -> Any:
    async def serve(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type)

    return serve


def _page(openapi: dict[str, Any], wire: dict[str, Any]) -> str:
    operations = [
        _row(f"<code>{method.upper()} {path}</code>", operation["summary"])
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    errors = [_row(f"<code>{code}</code>", error["meaning"]) for code, error in wire["errors"].items()]
    return PAGE.format(
        operations="".join(operations),
        client_events=_names(wire["clientEvents"]),
        server_events=_names(wire["serverEvents"]),
        errors="".join(errors),
    )


def _row(first: str, second: str) -> str:
    return f"<tr><td>{first}<td>{html.escape(second)}"


def _names(events: Mapping[str, Any]) -> str:
    return " · ".join(f"<code>{html.escape(name)}</code>" for name in events)

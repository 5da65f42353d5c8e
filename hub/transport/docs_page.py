"""The description of the wire, served by every node: ``/openapi.json``, ``/wire.json``, ``/schema.graphql`` and a page
to read, ``/docs``.
"""

import asyncio
import html
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from aiohttp import web

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sparkle Hub: API</title>
<style>body{{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}}code{{font-size:.95em}}
td{{padding:.15rem 1rem .15rem 0;vertical-align:top}}h2{{margin-top:2rem}}</style>
<h1>Sparkle Hub</h1>
<p>REST as <a href="/openapi.json">OpenAPI 3.1</a>, socket events and errors as <a href="/wire.json">JSON</a>,
GraphQL as <a href="/schema.graphql">its schema</a>.</p>
<h2>REST</h2><table>{operations}</table>
<h2>Socket events, client to server</h2><p>{client_events}</p>
<h2>Socket events, server to client</h2><p>{server_events}</p>
<h2>Errors</h2><table>{errors}</table>
</html>"""


Documents = Callable[[], Mapping[str, str]]
"""Makes ``openapi.json``, ``wire.json`` and ``schema.graphql``. Called at the first request: it takes a second, which
no start should pay."""


def add_routes(app: web.Application, documents: Documents) -> None:
    """Serve each document at the root, and the page made of them."""

    @cache
    def texts() -> dict[str, str]:
        made = documents()
        return {**made, "docs": _page(json.loads(made["openapi.json"]), json.loads(made["wire.json"]))}

    def serve(name: str, content_type: str) -> None:
        async def answer(_request: web.Request) -> web.Response:
            text = (await asyncio.to_thread(texts))[name]  # beside the loop, which must not stand for it
            return web.Response(text=text, content_type=content_type)

        app.router.add_get(f"/{name}", answer)

    serve("openapi.json", "application/json")
    serve("wire.json", "application/json")
    serve("schema.graphql", "text/plain")
    serve("docs", "text/html")


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

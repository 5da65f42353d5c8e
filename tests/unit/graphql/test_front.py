"""A node pays for GraphQL when somebody asks, and not before."""

import subprocess
import sys

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from core_api.graphql.front import Front


def test_a_node_that_starts_imports_neither_strawberry_nor_the_schema() -> None:
    code = "import hub.node, hub.cli, sys; print([name for name in sys.modules if name in ('strawberry', 'graphql')])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


async def test_what_cannot_be_made_is_tried_again_at_the_next_request() -> None:
    tries = []

    def make() -> object:
        tries.append(1)
        raise ImportError("half installed")

    app = web.Application()
    Front(make).add_routes(app)  # type: ignore[arg-type] # it never gets as far as being used
    async with TestClient(TestServer(app)) as client:
        for _ in range(2):
            assert (await client.post("/graphql")).status == 500
    assert len(tries) == 2

"""core_api.graphql.front: GraphQL is made when somebody asks for it first."""

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from core_api.graphql.front import Front


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

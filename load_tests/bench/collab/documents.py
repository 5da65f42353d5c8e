"""Documents in the database of a bench, and the tokens that open them."""

from dataclasses import dataclass

import asyncpg
from aiohttp import ClientSession

from hub.kernel.clock import SystemClock
from hub.kernel.ids import new_uuid
from load_tests.bench.cluster.backends import Backends
from load_tests.bench.cluster.nodes import Nodes
from load_tests.bench.errors import CannotMeasure


@dataclass(frozen=True, slots=True)
class SharedDocument:
    """A document, and with what it is opened."""

    id: str
    token: str
    """The owner's."""
    document_token: str


async def documents_with_tokens(backends: Backends, nodes: Nodes, count: int) -> list[SharedDocument]:
    """Documents, each of another person. There must be as many people."""
    now, ids = SystemClock().now(), [new_uuid() for _ in range(count)]
    connection = await asyncpg.connect(backends.database_url)
    try:
        for document_id, owner in zip(ids, backends.crowd.people, strict=False):
            await connection.execute(
                "INSERT INTO documents (id, title, owner_id, visibility, created_at, updated_at) "
                "VALUES ($1, 'bench', $2, 'private', $3, $3)",
                *(document_id, owner, now),
            )
    finally:
        await connection.close()
    found = []
    async with ClientSession(f"http://127.0.0.1:{nodes.all[0].port}") as session:
        for document_id, token in zip(ids, backends.crowd.tokens(count), strict=True):
            path, headers = f"/api/v1/documents/{document_id}/tokens", {"Authorization": f"Bearer {token}"}
            async with session.post(path, json={"access": "write"}, headers=headers) as answer:
                if answer.status != 201:
                    raise CannotMeasure(f"no token for a document: {answer.status} {await answer.text()}")
                issued = (await answer.json())["token"]
            found.append(SharedDocument(document_id, token, issued))
    return found

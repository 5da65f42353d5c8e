"""Companions on a real PostgreSQL, with a language model in the test's hands."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from hub.kernel.events import Caller
from tests.support.companions import CompanionNode
from tests.support.people import People


@pytest.fixture
async def node(pool: asyncpg.Pool) -> AsyncIterator[CompanionNode]:
    node = CompanionNode(pool)
    yield node
    await node.close()


@pytest.fixture
async def other(node: CompanionNode) -> AsyncIterator[CompanionNode]:
    """A second node of the same hub."""
    other = CompanionNode(node.pool, node.rooms, node.clock)
    node.nodes.alive.add(other.nodes.node_id)
    other.nodes.alive.add(node.nodes.node_id)
    yield other
    await other.close()


@pytest.fixture
def ada() -> Caller:
    return People().add("ada")


@pytest.fixture
def bob() -> Caller:
    return People().add("bob")

"""Awareness between nodes over a real Valkey: told, asked for, and gone with its node."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from collab import awareness
from collab.awareness import State
from collab.awareness_exchange import AwarenessExchange
from collab.awareness_table import SILENT_S
from collab.hints import Hints
from hub.kernel.ids import NodeId, new_ulid
from tests.support.collab import DOCUMENT, Audience, Node, NodesOf, StartNode
from tests.support.wait import until

ANA = State(1, 5, b'{"name":"Ana"}')
BO = State(2, 1, b'{"name":"Bo"}')


@dataclass
class Place:
    """A node that has the document open, and what its clients were shown."""

    exchange: AwarenessExchange
    hints: Hints
    node_id: NodeId
    open: Callable[[], Awaitable[None]]
    shown: list[tuple[list[State], str | None]] = field(default_factory=list)
    now: float = 0.0

    def here(self) -> list[State]:
        update = self.exchange.present(DOCUMENT)
        return [] if update is None else awareness.decode(update)

    def show(self, _document_id: str, update: bytes, speaker: str | None) -> None:
        self.shown.append((awareness.decode(update), speaker))


@pytest.fixture
def alive() -> set[NodeId]:
    return set()


@pytest.fixture
async def places(start_node: StartNode, alive: set[NodeId]) -> AsyncIterator[list[Place]]:
    made = [await _place(await start_node(), alive) for _ in range(2)]
    for place in made:
        place.exchange.start()
    yield made
    for place in made:
        await place.exchange.close()


async def _place(node: Node, alive: set[NodeId]) -> Place:
    node_id = NodeId(new_ulid())
    alive.add(node_id)
    exchange = AwarenessExchange(node.hints, NodesOf(node_id, alive), monotonic=lambda: place.now)

    async def open_document() -> None:
        await node.engine.follow(DOCUMENT, Audience())
        exchange.open(DOCUMENT)

    place = Place(exchange, node.hints, node_id, open_document)
    exchange.show = place.show
    return place


async def test_what_is_said_on_one_node_is_shown_on_the_other_once(places: list[Place]) -> None:
    one, two = places
    await one.open()
    await two.open()
    one.exchange.take(DOCUMENT, "connection", awareness.encode([ANA]))
    one.exchange.take(DOCUMENT, "echo", awareness.encode([ANA, ANA]))
    assert one.shown == [([ANA], "connection")]
    await until(lambda: two.shown)
    assert two.shown == [([ANA], None)]
    assert two.here() == [ANA]
    one.exchange.remove(DOCUMENT, "connection")
    await until(lambda: len(two.shown) > 1)
    assert two.shown[1:] == [([ANA.gone], None)]


async def test_a_node_that_opens_a_document_asks_who_is_there(places: list[Place]) -> None:
    one, two = places
    await one.open()
    one.exchange.take(DOCUMENT, "connection", awareness.encode([ANA]))
    await two.open()
    assert await until(two.here) == [ANA]


async def test_who_was_at_a_node_that_died_goes_and_who_is_at_a_live_one_stays(
    places: list[Place], alive: set[NodeId]
) -> None:
    one, two = places
    await one.open()
    await two.open()
    one.exchange.take(DOCUMENT, "connection", awareness.encode([ANA]))
    two.exchange.take(DOCUMENT, "mine", awareness.encode([BO]))
    await until(lambda: len(two.here()) == 2)
    await two.exchange.look()
    assert len(two.here()) == 2
    alive.remove(one.node_id)
    await two.exchange.look()
    assert two.here() == [BO]
    assert two.shown[-1] == ([ANA.gone], None)


async def test_who_is_silent_goes(places: list[Place]) -> None:
    one, _ = places
    await one.open()
    one.exchange.take(DOCUMENT, "connection", awareness.encode([ANA]))
    one.now = SILENT_S
    await one.exchange.look()
    assert one.here() == []
    assert one.shown[-1] == ([ANA.gone], None)


async def test_what_no_node_says_is_passed_over(places: list[Place], caplog: pytest.LogCaptureFixture) -> None:
    one, two = places
    await one.open()
    await two.open()
    for text in (b"", b"x", b"?" * 27, one.node_id.encode() + b"s", one.node_id.encode() + b"s\xff" * 9):
        await one.hints.whisper([(DOCUMENT, text)])
    one.exchange.take(DOCUMENT, "connection", awareness.encode([ANA]))
    assert await until(two.here) == [ANA]
    assert all(record.levelname != "ERROR" for record in caplog.records)

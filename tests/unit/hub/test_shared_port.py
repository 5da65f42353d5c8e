"""hub.shared_port: open while the node hears, closed while others serve better, and never twice for one stumble."""

from dataclasses import dataclass, field

import pytest

from hub.shared_port import Listener, SharedPort


@dataclass
class Scene:
    """A node, its listener and its peers."""

    hears: bool = True
    peer: bool = True
    fails: bool = False
    sent_away: int = 0
    open: int = 0
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = SharedPort(
            self._listen, hears=lambda: self.hears, has_ready_peer=self._has_peer, send_away=self._send_away
        )

    def close(self) -> None:
        self.open -= 1

    async def _listen(self) -> Listener:
        if self.fails:
            raise OSError("in use")
        self.open += 1
        return self

    async def _has_peer(self) -> bool:
        return self.peer

    async def _send_away(self) -> None:
        assert not self.open, "or they would come back"
        self.sent_away += 1

    async def look(self, times: int) -> None:
        for _ in range(times):
            await self.port.look()


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    await scene.port.open()
    return scene


async def test_a_node_that_hears_stays(scene: Scene) -> None:
    await scene.look(10)
    assert (scene.open, scene.sent_away) == (1, 0)


async def test_a_deaf_node_leaves_the_port_and_its_clients_to_the_others_and_comes_back(scene: Scene) -> None:
    scene.hears = False
    await scene.look(10)
    assert (scene.open, scene.sent_away) == (0, 1)
    scene.hears = True
    await scene.look(10)
    assert (scene.open, scene.sent_away) == (1, 1)


async def test_one_look_decides_nothing(scene: Scene) -> None:
    for hears in (False, True) * 5:
        scene.hears = hears
        await scene.look(1)
    assert (scene.open, scene.sent_away) == (1, 0)


async def test_where_nobody_hears_everybody_stays(scene: Scene) -> None:
    scene.hears = scene.peer = False
    await scene.look(10)
    assert (scene.open, scene.sent_away) == (1, 0)
    scene.peer = True
    await scene.look(1)
    assert (scene.open, scene.sent_away) == (0, 1)


async def test_a_port_that_cannot_be_opened_is_tried_again(scene: Scene) -> None:
    scene.hears = False
    await scene.look(2)
    scene.hears = scene.fails = True
    for _ in range(3):
        with pytest.raises(OSError, match="in use"):
            await scene.look(2)
    scene.fails = False
    await scene.look(1)
    assert scene.open == 1


async def test_it_may_be_closed_twice(scene: Scene) -> None:
    scene.port.close()
    scene.port.close()
    assert scene.open == 0

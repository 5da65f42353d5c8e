"""Calls of dead media servers: each is moved, and what could not be is tried again."""

from typing import cast

from hub.kernel.errors import HubError, NotFound, Unavailable
from signaling.media.embedded.lease_redis import MediaServers
from signaling.media.embedded.rescuer import Rescuer


class Dead:
    """As much of MediaServers as is used: servers that have died, with their rooms."""

    def __init__(self, **rooms: list[str]) -> None:
        self.rooms = rooms
        self.looks = 0
        self.alive_after = 0
        """Looks for a server that is alive, before there is one."""

    async def live(self) -> list[str]:
        self.looks += 1
        return ["new"] if self.looks > self.alive_after else []

    async def take_dead(self) -> list[tuple[str, list[str]]]:
        return list(self.rooms.items())

    async def buried(self, name: str) -> None:
        del self.rooms[name]


def rescuer(dead: Dead, refusals: dict[str, HubError], looks: int = 10) -> tuple[Rescuer, list[str]]:
    moved: list[str] = []

    async def rescue(call_id: str) -> None:
        moved.append(call_id)
        if call_id in refusals:
            raise refusals[call_id]

    return Rescuer(cast("MediaServers", dead), rescue, looks), moved


async def test_all_calls_of_a_dead_server_are_moved_and_it_is_forgotten() -> None:
    dead = Dead(one=["a", "b"], other=[])
    looking, moved = rescuer(dead, {"a": NotFound()})  # that call is over
    await looking.look()
    assert moved == ["a", "b"]
    assert dead.rooms == {}


async def test_a_server_of_whose_calls_one_could_not_be_moved_is_looked_at_again() -> None:
    dead = Dead(one=["a", "b"], other=["c"])
    refusals: dict[str, HubError] = {"a": Unavailable("later")}
    looking, moved = rescuer(dead, refusals)
    await looking.look()
    assert moved == ["a", "b", "c"]
    assert list(dead.rooms) == ["one"]
    refusals.clear()
    await looking.look()
    assert dead.rooms == {}


async def test_calls_wait_until_the_server_that_is_started_again_is_there() -> None:
    dead = Dead(one=["a"])
    dead.alive_after = 2
    looking, moved = rescuer(dead, {})
    await looking.look()
    assert (moved, dead.looks) == (["a"], 3)


async def test_without_another_server_calls_are_moved_all_the_same() -> None:
    dead = Dead(one=["a"])
    dead.alive_after = 1000
    looking, moved = rescuer(dead, {}, looks=1)
    await looking.look()
    assert moved == ["a"]

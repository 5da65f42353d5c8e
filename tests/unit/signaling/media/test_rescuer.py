"""Calls of dead media servers: each is moved, and what could not be is tried again."""

from typing import cast

from hub.kernel.errors import HubError, NotFound, Unavailable
from signaling.media.embedded.lease_redis import MediaServers
from signaling.media.embedded.rescuer import Rescuer


class Dead:
    """As much of MediaServers as is used: servers that have died, with their rooms."""

    def __init__(self, **rooms: list[str]) -> None:
        self.rooms = rooms

    async def take_dead(self) -> list[tuple[str, list[str]]]:
        return list(self.rooms.items())

    async def buried(self, name: str) -> None:
        del self.rooms[name]


def rescuer(dead: Dead, refusals: dict[str, HubError]) -> tuple[Rescuer, list[str]]:
    moved: list[str] = []

    async def rescue(call_id: str) -> None:
        moved.append(call_id)
        if call_id in refusals:
            raise refusals[call_id]

    return Rescuer(cast("MediaServers", dead), rescue), moved


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

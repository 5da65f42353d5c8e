"""Who meets whom: users of one worker in groups of a chosen size, each group around one thing of the hub's."""

import random
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from load_tests.client.account import Account

G = TypeVar("G", bound="Gathering")
T = TypeVar("T")


@dataclass(eq=False)
class Gathering:
    """A group of users, each known by a number."""

    places_taken: int = 0
    """Also by those who are not there at the moment."""
    present: set[int] = field(default_factory=set)
    """Those who are connected and have joined: to them a message is owed."""

    def others(self, number: int) -> set[int]:
        """Those present but for one."""
        return self.present - {number}


@dataclass(eq=False, kw_only=True)
class Room(Gathering):
    """Those who talk in one room of the hub."""

    id: str


@dataclass(eq=False, kw_only=True)
class Document(Gathering):
    """Those who edit one document. Its owner lets them in."""

    id: str
    owner: Account


@dataclass(eq=False)
class Circle(Gathering):
    """Those who watch each other's presence."""

    ids: dict[int, str] = field(default_factory=dict)
    """The account of each."""
    watchers: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Who watches whom: to them a change of presence is owed."""


class Gatherings(Generic[G]):
    """Fills one group after the other. A place that is given up is taken by the next who comes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._all: list[G] = []
        self._lock = threading.Lock()

    def enter(self, found: Callable[[], G]) -> G:
        """Take a place. ``found`` makes a new group if all are full; others wait for it meanwhile."""
        with self._lock:
            gathering = next((one for one in self._all if one.places_taken < self._size), None)
            if gathering is None:
                gathering = found()
                self._all.append(gathering)
            gathering.places_taken += 1
            return gathering

    def leave(self, gathering: G, number: int) -> None:
        """Give the place up."""
        gathering.places_taken -= 1
        gathering.present.discard(number)


class Switchboard(Generic[T]):
    """Who can be called: those who are connected and in no call. A person is known by a number."""

    def __init__(self, draw: random.Random) -> None:
        self._free: dict[int, T] = {}
        self._draw = draw

    def release(self, number: int, person: T) -> None:
        """The person has come, or has put the phone down."""
        self._free[number] = person

    def take(self, number: int) -> bool:
        """Take the person off, if free; gives whether they were."""
        return self._free.pop(number, None) is not None

    def pair(self, number: int) -> T | None:
        """Take the person off, with somebody to call, who is given. ``None``, and nobody taken off, without two."""
        others = [other for other in self._free if other != number]
        if number not in self._free or not others:
            return None
        del self._free[number]
        return self._free.pop(self._draw.choice(others))

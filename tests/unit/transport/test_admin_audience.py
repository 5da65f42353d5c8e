"""hub.transport.socketio.admin.audience: a picture, and after it exactly what is not in it."""

from typing import Any, cast

from hub.kernel.ids import NodeId
from hub.transport.socketio.admin.audience import Admin, Change
from hub.transport.socketio.socket import Socket

THERE = NodeId("there")


class Recorded(Admin):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__(cast("Socket", None))
        self.sent: list[Any] = []

    def send(self, event: str, arguments: list[Any], *, droppable: bool = False) -> None:
        self.sent.append(arguments[0])


def change(number: int) -> Change:
    return Change(number, "room_joined", [number], droppable=False)


def test_what_comes_while_the_picture_is_made_is_told_after_it_unless_it_is_in_it() -> None:
    admin = Recorded()
    admin.waiting = []
    for number in (4, 5, 6, 7):
        admin.change_elsewhere(THERE, change(number))
    assert admin.sent == []
    admin.show([], {THERE: 5})
    assert admin.sent == [[], 6, 7]


def test_what_is_in_the_picture_is_not_told_again_when_it_comes_late() -> None:
    admin = Recorded()
    admin.waiting = []
    admin.show([], {THERE: 5})
    for number in (5, 6):
        admin.change_elsewhere(THERE, change(number))
    assert admin.sent == [[], 6]


def test_of_a_node_that_is_not_in_the_picture_everything_is_told() -> None:
    admin = Recorded()
    admin.waiting = []
    admin.show([], {THERE: 5})
    admin.change_elsewhere(NodeId("new"), change(1))
    assert admin.sent == [[], 1]

"""Events that are to be acknowledged: by one client, or by each of many."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.transport.socketio.packets import EVENT
from hub.transport.socketio.socket import Answer, Socket


@dataclass
class Answers:
    """What came back from a broadcast: the acknowledgement of each socket, and those that gave none in time."""

    answers: dict[str, list[Any]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def ask(socket: Socket, arguments: list[Any], answer: Answer) -> int:
    """Send an event to be acknowledged, and give the id of the acknowledgement.

    ``arguments`` begin with the event's name. Raises TypeError for what cannot be encoded.
    """
    ack_id = socket.expect(answer)
    try:
        packet = socket.client.codec.encode(EVENT, socket.namespace, ack_id, arguments)
    except TypeError:
        socket.forget(ack_id)
        raise
    socket.send(packet)
    if (observer := socket.client.observer) is not None:
        observer.sent((socket,), arguments)
    return ack_id


async def ask_and_wait(socket: Socket | None, arguments: list[Any], timeout_s: float | None) -> list[Any]:
    """Send an event, and wait for the arguments of its acknowledgement; a socket that is gone gives none.

    Raises TimeoutError.
    """
    answered: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

    def answer(given: list[Any]) -> None:
        if not answered.done():  # between the timeout and the task that learns of it, packets are still read
            answered.set_result(given)

    ack_id = None if socket is None else ask(socket, arguments, answer)
    try:
        async with asyncio.timeout(timeout_s):
            return await answered
    finally:
        if socket is not None and ack_id is not None:
            socket.forget(ack_id)


async def ask_each(sockets: Mapping[str, Socket], ack_id: int, send: Callable[[], None], timeout_s: float) -> Answers:
    """Have ``send`` send one event to all the sockets, and wait until each has acknowledged it under the same id."""
    outcome, done = Answers(), asyncio.Event()
    for sid, socket in sockets.items():

        def answer(arguments: list[Any], sid: str = sid) -> None:
            outcome.answers[sid] = arguments
            if len(outcome.answers) == len(sockets):
                done.set()

        socket.expect(answer, ack_id)
    try:
        send()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s if sockets else 0):
                await done.wait()
    finally:
        for socket in sockets.values():
            socket.forget(ack_id)
    outcome.missing = [sid for sid in sockets if sid not in outcome.answers]
    return outcome

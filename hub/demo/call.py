"""The chapter in which one calls the other, through the hub's signaling, peer to peer."""

import asyncio
import itertools

from hub.demo.errors import DemoError
from hub.demo.peer import Peer, allow_loopback
from hub.demo.person import Person
from hub.kernel.ids import new_ulid

FRAMES = 10
"""0.2 s of sound: media flows, it was not one lucky packet."""


class Line:
    """One person's side of a call's signaling: numbers what is sent."""

    def __init__(self, person: Person, call_id: str) -> None:
        self._person = person
        self._call_id = call_id
        self._numbers = itertools.count(1)

    async def send(self, kind: str, sdp: str) -> None:
        """A description, and that no more candidates follow: they are in it."""
        for signal in ({"type": kind, "sdp": sdp}, {"type": "end-of-candidates"}):
            payload = {"callId": self._call_id, "seq": next(self._numbers), "signal": signal}
            await self._person.ask("call:signal", payload)

    async def receive(self, kind: str) -> str:
        """The SDP of the other side's description."""
        event = await self._person.sees(
            "call:signal",
            lambda event: event["callId"] == self._call_id and event["signal"]["type"] == kind,
            what=f"call:signal with the {kind}",
        )
        return str(event["signal"]["sdp"])


async def call(ada: Person, bob: Person) -> None:
    """Ada rings, Bob accepts, they hear each other, Bob hangs up."""
    allow_loopback()
    call_id = new_ulid()
    placed = await ada.ask("call:initiate", {"to": bob.id, "type": "audio", "callId": call_id})
    ada.does("calls bob")
    await bob.sees("call:incoming", lambda event: (event["callId"], event["initiator"]) == (call_id, ada.id))
    bob.has_seen("ada's call come in")
    await bob.ask("call:ringing", {"callId": call_id})
    await ada.sees("call:state", lambda event: (event["callId"], event.get("kind")) == (call_id, "alerting"))
    ada.has_seen("that it rings at bob's")
    accepted = await bob.ask("call:accept", {"callId": call_id})
    await ada.sees("call:accepted", lambda event: event["callId"] == call_id)
    ada.has_seen("bob accept")
    async with _Ends(Peer(placed["iceServers"]), Peer(accepted["iceServers"])) as (caller, callee):
        await _connect(Line(ada, call_id), caller, Line(bob, call_id), callee)
        await _talk(ada, caller, bob, callee)
    over = await bob.ask("call:hangup", {"callId": call_id})
    if over["state"] != "ended":
        raise DemoError(f"bob hung up, but the hub says that the call is {over['state']}")
    bob.does(f"hangs up, and is told that the call has {over['state']}")
    ended = await ada.sees("call:ended", lambda event: event["callId"] == call_id)
    ada.has_seen(f"the call end: {ended['reason']}")


class _Ends:
    """Both ends of a call, closed at its end."""

    def __init__(self, caller: Peer, callee: Peer) -> None:
        self._ends = caller, callee

    async def __aenter__(self) -> tuple[Peer, Peer]:
        return self._ends

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(end.close() for end in self._ends))


async def _connect(ada: Line, caller: Peer, bob: Line, callee: Peer) -> None:
    await ada.send("offer", await caller.offer())
    await bob.send("answer", await callee.answer(await bob.receive("offer")))
    await caller.take_answer(await ada.receive("answer"))


async def _talk(ada: Person, caller: Peer, bob: Person, callee: Peer) -> None:
    await asyncio.gather(caller.hear(FRAMES), callee.hear(FRAMES))
    for person, other in ((ada, bob), (bob, ada)):
        person.has_seen(f"{FRAMES} audio frames of {other.name}'s tone")
    for speaker, end, listener, other_end in ((ada, caller, bob, callee), (bob, callee, ada, caller)):
        text = f"hello from {speaker.name}"
        await end.say(text)
        if (read := await other_end.read()) != text:
            raise DemoError(f"{speaker.name} wrote {text!r} on the data channel, {listener.name} read {read!r}")
        listener.has_seen(f'"{text}" on the data channel')

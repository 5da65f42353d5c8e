"""The states of a call in which its node is killed: how people come there, and what they do at that very moment."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hub.kernel.ids import UserId, new_ulid
from load_tests.bench.calls.survivors import Survivor, until

OFFER = {"type": "offer", "sdp": "v=0"}
ANSWER = {"type": "answer", "sdp": "v=0"}
END = {"type": "end-of-candidates"}


class Company:
    """Three people with two devices each, who make one call: the first calls the second."""

    def __init__(self, people: Sequence[Sequence[Survivor]], draw: random.Random) -> None:
        self._draw = draw
        shuffled = [draw.sample(devices, len(devices)) for devices in people]
        (self.caller, _), (self.callee, self.other), (self.third, _) = shuffled
        self.devices = [device for devices in shuffled for device in devices]
        self.call_id = new_ulid()

    async def ask(self, device: Survivor, event: str, **payload: Any) -> Any:
        """Have a device do something about the call."""
        return await device.ask(f"call:{event}", {"callId": self.call_id, **payload})

    async def signal(self, device: Survivor, to: UserId, signal: dict[str, str]) -> None:
        """Send the next signal of a device."""
        seq = device.seqs.get(self.call_id, 0) + 1
        device.seqs[self.call_id] = seq
        await self.ask(device, "signal", seq=seq, legTo=to, signal=signal)

    async def place(self) -> None:
        """Ring."""
        self.caller.calls[self.call_id] = "in"
        await self.ask(self.caller, "initiate", to=self.callee.user_id, type="audio")

    async def ring(self) -> None:
        """Ring, until it rings everywhere."""
        await self.place()
        await until(lambda: self._are("rings", self.callee, self.other), "it rings at both devices")

    async def accept(self) -> None:
        """… and be answered."""
        await self.ring()
        await self.ask(self.callee, "accept")
        await until(lambda: self._are("over", self.other), "the other device rings no more")

    async def connect(self) -> None:
        """… and talk."""
        await self.accept()
        await self.talk()

    async def talk(self) -> None:
        """An offer and its answer."""
        await self.signal(self.caller, self.callee.user_id, OFFER)
        await self.signal(self.callee, self.caller.user_id, ANSWER)

    async def hold(self) -> None:
        """… and hold."""
        await self.connect()
        await self.ask(self.callee, "hold")

    async def offer_to_third(self) -> None:
        """… and ring a third, who is to take the call over."""
        await self.connect()
        await self.ask(self.callee, "transfer", to=self.third.user_id)
        await until(lambda: self._are("rings", self.third), "it rings at the third")

    # what is under way when the node dies

    async def be_undecided(self) -> None:
        """While it rings: nothing, or an end of it."""
        device, event = self._draw.choice(
            [
                (self.callee, "ringing"),
                (self.callee, "reject"),
                (self.caller, "hangup"),
                (self.other, "ignore"),
            ]
        )
        await self.ask(device, event)

    async def accept_at_once(self) -> None:
        """On both devices."""
        await asyncio.gather(self.ask(self.callee, "accept"), self.ask(self.other, "accept"))

    async def trickle(self) -> None:
        """Signals in both directions."""
        for _ in range(3):
            await asyncio.gather(
                self.signal(self.caller, self.callee.user_id, END), self.signal(self.callee, self.caller.user_id, END)
            )

    async def change_hold(self) -> None:
        """Go on with it, and hold it again."""
        await self.ask(self.callee, "resume")
        await self.ask(self.callee, "hold")

    async def upgrade(self) -> None:
        """Have it with video."""
        await self.ask(self.callee, "upgrade", video=True)
        await self.ask(self.callee, "media", audioMuted=True)

    async def transfer(self) -> None:
        """Ring a third, instead of oneself."""
        await self.ask(self.callee, "transfer", to=self.third.user_id)

    async def accept_transferred(self) -> None:
        """The third joins."""
        await self.ask(self.third, "accept")

    async def take(self) -> None:
        """Go on with it on the other device."""
        await self.ask(self.other, "transfer")

    async def leave(self) -> None:
        """Hang up, on either side."""
        await self.ask(self._draw.choice([self.caller, self.callee]), "hangup")

    async def nothing(self) -> None:
        """Begin with nothing."""

    async def hang_up(self, count: int = 6) -> None:
        """Have so many of the devices that are in it, or at which it rings, end it."""
        for device in self._draw.sample(self.devices, len(self.devices)):
            if device.is_back and device.calls.get(self.call_id) == "in" and count > 0:
                count -= 1
                await self.ask(device, "hangup")

    def _are(self, where: str, *devices: Survivor) -> bool:
        return all(device.calls.get(self.call_id) == where for device in devices)


Step = Callable[[Company], Awaitable[None]]
STATES: dict[str, tuple[Step, Step]] = {
    "inviting": (Company.nothing, Company.place),
    "ringing": (Company.ring, Company.be_undecided),
    "accepting": (Company.ring, Company.accept_at_once),
    "connecting": (Company.accept, Company.talk),
    "connected": (Company.connect, Company.trickle),
    "held": (Company.hold, Company.change_hold),
    "upgrading": (Company.connect, Company.upgrade),
    "transferring": (Company.connect, Company.transfer),
    "transferred": (Company.offer_to_third, Company.accept_transferred),
    "moving to another device": (Company.connect, Company.take),
    "leaving": (Company.connect, Company.leave),
}
"""What is done before, and at the moment of the kill."""

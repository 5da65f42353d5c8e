"""A person who calls others, and takes calls."""

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from ulid import ULID

from load_tests.call import SIGNALS, Call
from load_tests.client.connection import Connection
from load_tests.client.sdp import candidate, description, stamped
from load_tests.measures.faults import Fault
from load_tests.measures.stamp import Stamp
from load_tests.users.hub_user import POLL_S, HubUser, action

if TYPE_CHECKING:
    from load_tests.client.peer_connection import PeerConnection

TALK_S = 3.0
"""From the last signal to the end, at the usual tempo."""


class CallerUser(HubUser):
    """Rings somebody, exchanges descriptions and candidates, talks and hangs up; or is rung. One call at a time.

    Callee and ending are chosen by the caller, who puts the callee's line into the same call.
    """

    weight = 2
    every_s = 10.0

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._call: Call | None = None
        self._peer: PeerConnection | None = None

    def join(self, connection: Connection) -> None:
        """Can be called from now on, unless a call from before the loss is still to be ended."""
        if self._call is None:
            self.world.callers.release(self.number, self)

    def part(self) -> None:
        """Cannot be called, and is in no call."""
        self.world.callers.take(self.number)
        if self._call is not None:
            self._abandon(self._call)

    def leave(self) -> None:
        """Cannot be called. A call goes on until it is owed nothing."""
        self.world.callers.take(self.number)

    def farewell(self) -> None:
        """Let a call that was taken come to its end, which its other side brings about."""
        end_s = time.monotonic() + self.world.noticed_s
        while self._call is not None and time.monotonic() < end_s:
            time.sleep(POLL_S)

    @action()
    def ring(self, due_s: float) -> None:
        """Call somebody who is free; nothing if nobody is."""
        callee: CallerUser | None = self.world.callers.pair(self.number)
        if callee is None:
            return
        call = Call(str(ULID()), self.number, callee.number, next(self.world.endings))
        self._call = callee._call = call
        try:
            self._place(call, callee.account.id, due_s)
        finally:
            self._finish(call)
            if not call.taken:
                callee._free(call)

    def came(self, event: str, payload: Any) -> None:
        """Something of a call. What comes of an earlier one is of no interest."""
        call = self._call
        if call is None or not event.startswith("call:") or payload["callId"] != call.id:
            return
        if event == "call:signal":
            self._signalled(call, payload["signal"])
            return
        self.receipt((call.id, self.number, event), event)
        call.saw(self.number, event)
        if event == "call:incoming" and not call.taken:
            call.taken = True
            threading.Thread(target=self._take, args=(call,), daemon=True).start()

    # The caller's side

    def _place(self, call: Call, callee_id: str, due_s: float) -> None:
        payload = {"to": callee_id, "type": "audio", "callId": call.id}
        self._tell(call, "call:initiate", payload, "call:incoming", due_s)
        if call.ending == "rejected":
            self._sees(call, self.number, "call:ended")
        elif call.ending == "cancelled":
            if self._sees(call, self.number, "call:state"):
                self._tell(call, "call:hangup", {"callId": call.id}, "call:cancelled")
                self._sees(call, call.callee, "call:cancelled")
        elif self._sees(call, self.number, "call:accepted"):
            self._signal(call, "offer")
            since_s = time.monotonic()
            if self._sees(call, call.callee, "end-of-candidates") and self._sees(
                call, self.number, "end-of-candidates"
            ):
                self._hear(call, since_s)
                self.pause(TALK_S)
                self._tell(call, "call:hangup", {"callId": call.id}, "call:ended")
                self._sees(call, call.callee, "call:ended")

    # The callee's side

    def _take(self, call: Call) -> None:
        try:
            self._tell(call, "call:ringing", {"callId": call.id}, "call:state")
            if call.ending == "rejected":
                self._tell(call, "call:reject", {"callId": call.id}, "call:ended")
                self._sees(call, call.caller, "call:ended")
            elif call.ending == "cancelled":
                self._sees(call, self.number, "call:cancelled")
            else:
                self._tell(call, "call:accept", {"callId": call.id}, "call:accepted")
                if self._sees(call, self.number, "offer"):
                    self._signal(call, "answer")
                    self._sees(call, self.number, "call:ended", TALK_S / self.world.settings.tempo)
        except Fault:
            pass  # reported
        finally:
            self._finish(call)

    # Both sides

    def _tell(self, call: Call, event: str, payload: object, owed: str, due_s: float | None = None) -> None:
        """Send ``event``, by which ``owed`` is owed to the other side, unless it has gone. Raises Fault."""
        due_s = time.monotonic() if due_s is None else due_s
        key = (call.id, self._other(call), owed)
        call.owed.append(key)
        with self.owing(key, owed, set() if call.abandoned else {self._other(call)}, due_s):
            self.ask(event, payload, due_s=due_s, tolerated=lambda: call.tolerated)

    def _signal(self, call: Call, kind: str) -> None:
        """Send a description, then candidates. Raises Fault."""
        text = self._describe(call, kind)
        stamp = Stamp.of(self.number, 1, time.monotonic())
        for signal in (
            {"type": kind, "sdp": stamped(text, stamp)},
            {"type": "candidate", "candidates": [candidate(self.draw) for _ in range(3)]},
            {"type": "end-of-candidates"},
        ):
            payload = {"callId": call.id, "seq": SIGNALS[str(signal["type"])], "signal": signal}
            self._tell(call, "call:signal", payload, f"call:signal {signal['type']}")

    def _describe(self, call: Call, kind: str) -> str:
        """The description of a connection that is there, or of one as a browser would have it. Raises Fault."""
        peer = self._peer = self.world.peer_connection()
        if peer is None:
            return description(self.draw, setup="actpass" if kind == "offer" else "active")
        within_s = self.world.settings.within_s
        make = peer.offer if kind == "offer" else partial(peer.answer, call.descriptions["offer"])
        return str(self.measure("media", kind, time.monotonic(), lambda: make(within_s)))

    def _hear(self, call: Call, since_s: float) -> None:
        """Hear the callee over the peer connection, if there is one. Raises Fault."""
        peer = self._peer
        if peer is not None:
            within_s, answer = self.world.settings.within_s, call.descriptions["answer"]
            self.measure("media", "echo", since_s, lambda: peer.connect(answer, within_s))

    def _signalled(self, call: Call, signal: dict[str, Any]) -> None:
        kind, text = signal["type"], signal.get("sdp", "")
        if text:
            call.descriptions[kind] = text
        stamps = Stamp.all_in(text)
        stamped_s = stamps[0].due_s if stamps else None
        name = f"call:signal {kind}"
        fault = call.check_signal(self.number, kind)
        self.receipt((call.id, self.number, name), name, stamped_s=stamped_s, fault=fault)
        call.saw(self.number, kind)

    def _sees(self, call: Call, side: int, what: str, longer_s: float = 0) -> bool:
        """Whether ``what`` comes to ``side`` in time; if not, that is reported by who looks for overdue deliveries."""
        return call.wait(side, what, self.world.noticed_s + longer_s)

    def _finish(self, call: Call) -> None:
        """End the call for this side, whatever state it is in."""
        if not call.ended:
            self._abandon(call)
            try:
                # After a loss the call is on the old connection; sync brings it to this one.
                self.ask("call:sync", {"callId": call.id, "sinceVersion": 0}, tolerated=lambda: call.tolerated)
                self.ask("call:hangup", {"callId": call.id}, tolerated=lambda: call.tolerated)
            except Fault:
                pass  # reported
        self._free(call)

    def _free(self, call: Call) -> None:
        if self._call is call:
            self._call = None
            if self._peer is not None:
                self._peer.close()
            if self.is_here and not self.is_leaving:
                self.world.callers.release(self.number, self)

    def _abandon(self, call: Call) -> None:
        call.abandon()
        for key in call.owed:
            self.world.deliveries.withdraw(key)

    def _other(self, call: Call) -> int:
        return call.callee if self.number == call.caller else call.caller

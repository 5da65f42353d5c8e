"""What an operator may set about calls."""

from typing import Literal

import msgspec

IcePolicy = Literal["all", "relay"]


class CallSettings(msgspec.Struct, frozen=True):
    """Deadlines of a call, and what happens to a second one."""

    ring_s: int = 90
    """How long a call rings. Matrix asks for 90 s at least: a phone has to be woken by a push first."""
    leg_lease_s: int = 30
    """How long a party may be away (a dead node, a tunnel, a reload) before the call ends without it."""
    leg_renew_every_s: float = 10.0
    """A third of the lease: one renewal may be lost and one be late."""
    alone_s: int = 20
    """How long somebody may be alone in a group call, with nobody ringing, before it ends. LiveKit waits as long."""
    ended_kept_s: int = 300
    """How long an ended call still answers, so that a client that was away learns how it ended."""
    sweep_every_s: float = 0.5
    when_busy: Literal["refuse", "ring"] = "refuse"
    """What a call to somebody does who is in another: it ends as ``user_busy``, or rings as call waiting."""


class IceSettings(msgspec.Struct, frozen=True):
    """How callers find a path to each other.

    Nothing is configured by default, and nothing public is assumed: a STUN server learns the address of every caller.
    """

    stun_urls: tuple[str, ...] = ()
    """As in RTCIceServer: ``stun:host:port``."""
    turn_urls: tuple[str, ...] = ()
    """As in RTCIceServer: ``turn:host:port?transport=udp``, ``turns:…``. Used only with ``turn_secret``."""
    turn_secret: str = ""
    """The ``static-auth-secret`` of coturn."""
    turn_credential_s: int = 600
    """Life of a credential. It only has to last until the allocation is made; a refresh does not ask for it anew."""
    policy: IcePolicy = "all"
    """``relay``: media goes through TURN only, so that callers do not learn each other's addresses. Needs TURN."""

    @property
    def has_turn(self) -> bool:
        """Whether there is a TURN server for callers."""
        return bool(self.turn_urls and self.turn_secret)

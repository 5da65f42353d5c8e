"""What an operator can set for presence and typing."""

from typing import Annotated

import msgspec
from msgspec import Meta


class PresenceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Times, in seconds."""

    hold_s: float = 5.0
    """How long a lost connection still counts: a reload, a lift or a deploy is no absence. A dead node's connections
    are not held again, since its lease was the hold."""
    moving_hold_s: float = 15.0
    """The same for connections of a node that drains: their clients come back by themselves, after the delay of up to
    five seconds that clients take, and once more if the node they try first is about to drain too."""
    away_s: float = 600.0
    """A device that nobody has used for this long is shown as away, if it says that it is online. 0: never."""
    sweep_s: float = 0.5
    """Between two sweeps. With leases of 5 s, a dead node's users are offline within 8 s of its death."""
    coalesce_s: float = 0.2
    """Changes of one user within this time reach watchers as one diff, the latest state. 0: each at once."""
    overdue_s: float = 2.0
    """A transition that nobody has told of for this long is told by whichever node looks first: longer than a busy node
    takes, and short enough for people to hear of it soon after that node died."""
    large_room: int = 200
    """People in a room beyond whom it is told how many they are, and not of each who comes and goes: to tell everybody
    of everybody costs the square of their number."""
    typing_expires_s: float = 6.0
    """Typing that is not renewed for this long has ended. Fixed by the wire contract; shorter in tests only."""
    typing_repeat_s: float = 2.0
    """Renewals are passed on at most this often: often enough for who has just come in or lost a volatile event."""
    history_days: Annotated[int, Meta(ge=0, le=3650)] = 0
    """How long changes of everybody's presence are kept in the database, for the staff. 0: they are not. What was kept
    before goes then."""

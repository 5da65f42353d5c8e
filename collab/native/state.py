"""How far a client is with a document that it has open.

    WAITING ──it says what it has──▶ CATCHING_UP ──it is sent the rest──▶ LIVE ──the socket is full──▶ BEHIND
                                          ▲───────────────────────drained──────────────────────────────┘

Changes that are committed while it is CATCHING_UP are sent after the rest. To one that is BEHIND they are not sent at
all: it gets the difference once its client reads again. So what is kept for it has a bound, and nothing is missed.
"""

from enum import Enum


class State(Enum):
    """See above."""

    WAITING = 1
    CATCHING_UP = 2
    LIVE = 3
    BEHIND = 4
    CLOSED = 5

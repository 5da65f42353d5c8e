"""Which clients are sent offsets with their events, as connection state recovery has it (Socket.IO 4.6)."""

import re
from typing import Final

from hub.transport.engineio.request import Request

_PYTHON_CLIENT: Final = re.compile(rb"[?&]t=\d+\.\d").search
"""python-engineio marks its requests with ``time.time()``, by either transport. Others count, in letters."""


def takes_offsets(request: Request) -> bool:
    """Whether the client is sent offsets: all are but python-socketio's.

    That one never asks to be recovered, and calls its handlers with one positional argument for each of an event. The
    offset is one more, so a handler of a payload would fail.
    """
    return _PYTHON_CLIENT(request.target) is None

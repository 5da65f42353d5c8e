"""What one node asks another for a client, and what it is answered."""

from dataclasses import dataclass, replace
from typing import Final

from hub.transport.engineio.addresses import Peer
from hub.transport.engineio.packets import NOOP_FRAME, encode_payload
from hub.transport.forwarding.hop import LOST, RELEASE


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A poll or a POST for another node. No two are equal."""

    method: str
    path: str
    sid: str
    client: Peer
    headers: dict[str, str]

    @property
    def is_poll(self) -> bool:
        """Whether the answer may take long."""
        return self.method == "GET" and self.headers.keys().isdisjoint((LOST, RELEASE))

    def released(self) -> "Question":
        """No question, but the wish that this poll be answered now."""
        return replace(self, headers=self.headers | {RELEASE: "1"})

    def lost(self, reason: str) -> "Question":
        """No question, but word that this one came to nothing, and why."""
        return replace(self, method="GET", headers=self.headers | {LOST: reason})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other node said."""

    status: int
    content_type: str
    body: bytes


NOTHING_YET: Final = Answer(200, "text/plain; charset=UTF-8", encode_payload([NOOP_FRAME]))
"""Has a client poll again."""

"""How many confirmations a client waits for, as HocuspocusProvider counts them. Rules only, no I/O.

It counts one for its step 1, and then for nothing of what it was at before; and one for each change that it sends. Its
answer to a question of the hub counts for itself only if that question came with the answer to its own step 1. Each
confirmation takes one away, whatever it is for: one too many would show a change as saved that is not.
"""

from collections import deque
from typing import Final

MAX_QUESTIONS: Final = 100
"""That are not answered yet. Honest clients answer each at once."""


class Confirmations:
    """Of one document that a client has open. Questions are answered in their order."""

    def __init__(self) -> None:
        self._questions: deque[int] = deque(maxlen=MAX_QUESTIONS)
        """What the answers to those that are open count for."""
        self._owed = 0
        """Changes that were not stored; a later answer brings them once more."""

    def client_asks(self) -> None:
        """The client has sent step 1, and counts anew."""
        self._owed = 0

    def hub_asks(self, *, with_answer: bool) -> None:
        """The hub sends step 1. ``with_answer``: to the client's step 1."""
        self._questions.append(int(with_answer))

    def stored(self, *, is_answer: bool) -> int:
        """A change of the client is stored: so many confirmations are due."""
        due = self._taken(is_answer=is_answer)
        if is_answer:
            due, self._owed = due + self._owed, 0
        return due

    def not_stored(self, *, is_answer: bool) -> None:
        """A change of the client is not stored: it has a gap, or may not be made."""
        self._owed += self._taken(is_answer=is_answer)

    def _taken(self, *, is_answer: bool) -> int:
        if not is_answer:
            return 1
        return self._questions.popleft() if self._questions else 1  # one that nobody asked for

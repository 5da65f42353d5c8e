"""What is promised of any bytes that claim to be Yjs updates: one that fits, or a declared refusal, and no long wait.

What was taken in is never lost, whichever way it goes: piece by piece, in another order, through a snapshot.
"""

import time
from collections.abc import Callable
from random import Random
from typing import TypeVar

from collab import awareness, state_vector
from collab.cutting import prepare
from collab.decoding import BadUpdate
from collab.document import BrokenDocument, Document
from collab.log import Snapshot
from collab.nesting import MAX_NESTING
from collab.parsed import Update
from collab.proof import NotProved, whole
from collab.update import LARGE_BYTES
from load_tests.fuzz.collab_seeds import TOKENS, beginning, honest, shapes
from load_tests.fuzz.targets import TAKEN, Target, expect

T = TypeVar("T")
LONGEST_S = 0.02
"""CPU time in which nothing else runs."""
GENERATION = 60
"""Updates that a document takes in before it is judged, and another one begins."""


class Nodes:
    """A document as a node has it, and all that it has taken in."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._document = Document("d")
        self._taken = [beginning()]
        self._document.apply_ready(self._taken)

    def check(self, data: bytes, random: Random) -> str:
        """Give it to the document as `Engine.submit` does."""
        try:
            update = timed("reading", lambda: prepare(data)) if len(data) <= LARGE_BYTES else prepare(data)
            if update.gap(self._document.clocks):
                return "gapped"
            self._document.check_nesting(update)
        except BadUpdate:
            return "refused"
        outcome = TAKEN
        try:
            self._apply(data, update)
        except BrokenDocument:
            self._load_again()
            outcome = "refused by Yrs"
        else:
            self._taken.append(data)
            expect(self._document.whole(), "Yrs keeps nothing pending")
        if len(self._taken) >= GENERATION:
            outcome = self._judge(random)
            self._begin()
        return outcome

    def _apply(self, data: bytes, update: Update) -> None:
        steps = self._document.applying(data, update)
        while timed("a step", lambda: next(steps, self)) is not self:
            """As the engine does, in turns."""

    def _load_again(self) -> None:
        """From the log: what Yrs has refused, perhaps after a part of it, is gone."""
        document = Document("d")
        document.apply_ready(self._taken)
        expect(not document.early and document.whole(), "what was taken is taken again")
        self._document = document

    def _judge(self, random: Random) -> str:
        document, other = self._document, Document("d")
        try:
            other.apply_ready(random.sample(self._taken, len(self._taken)))
        except BrokenDocument:
            # Yrs takes an item into a letter only where the letter is deleted already. A node that gets the two in
            # another order loads the document again, from the log.
            other = Document("d")
            other.apply_ready(self._taken)
        expect(not other.early, "nothing waits for ever")
        expect(other.clocks == document.clocks, "the same in any order")
        timed("writing", document.diff)
        try:
            state, parsed = whole(document, self._taken)
        except NotProved:
            # Two clients of one id have written different things at one place, and an emoji is where they overlap. What
            # comes of it is left as the rows it is made of.
            return "taken, and never compacted"
        expect(parsed.levels <= min(document.nesting, MAX_NESTING), "types are no deeper than the bound")
        copy = Document("d")
        copy.load(Snapshot(1, state, {}, len(state)))
        expect(copy.whole() and copy.clocks == document.clocks, "all can be read")
        return TAKEN


def timed(what: str, work: Callable[[], T]) -> T:
    """What it returns. Raises Broken if it takes so long that others wait."""
    before = time.thread_time()
    result = work()
    took = time.thread_time() - before
    expect(took < LONGEST_S, f"{what} takes {1000 * took:.0f} ms")
    return result


def check_vector(data: bytes, _random: Random) -> str:
    """A state vector is read and written again, or refused."""
    try:
        clocks = state_vector.decode(data)
    except BadUpdate:
        return "refused"
    expect(state_vector.decode(state_vector.encode(clocks)) == clocks, "what was read can be written and read again")
    timed("a difference", lambda: Document("d").diff(data))
    return TAKEN


def check_awareness(data: bytes, _random: Random) -> str:
    """An awareness update is read and written again, or refused."""
    try:
        states = awareness.decode(data)
    except BadUpdate:
        return "refused"
    expect(awareness.decode(awareness.encode(states)) == states, "what was read can be written and read again")
    return TAKEN


def targets() -> list[Target]:
    """All of them, with new documents."""
    random = Random("collab")
    vectors = [
        state_vector.encode({random.getrandbits(32): random.getrandbits(10) for _ in range(n)}) for n in range(9)
    ]
    states = [
        awareness.encode(awareness.State(n, 1, b'{"user":{"name":"a"}}') for n in range(count)) for count in range(5)
    ]
    return [
        Target("updates", honest(random), TOKENS, Nodes().check),
        Target("shapes", shapes(random), TOKENS, Nodes().check),
        Target("state vectors", vectors, TOKENS, check_vector),
        Target("awareness", states, TOKENS, check_awareness),
    ]

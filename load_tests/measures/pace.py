"""When a user acts next: at times drawn beforehand, which a slow hub does not move."""

import random


class Pace:
    """The times of one user's actions, a Poisson process: independent users, whose actions sometimes cluster.

    A user who waited for an answer until after the next action was due does that one late, and its delay is counted
    from when it was due. Otherwise a hub that stalls would be asked less, and look fast (coordinated omission).
    """

    def __init__(self, mean_s: float, start_s: float, draw: random.Random) -> None:
        """``mean_s`` is the mean time between two actions; ``start_s`` is now, on the clock of ``wait_s``."""
        self._mean_s = mean_s
        self._draw = draw
        self.due_s = start_s
        """When the present action was due."""

    def pause(self, seconds: float) -> None:
        """The user takes that long on purpose: whatever is due after it is due so much later."""
        self.due_s += seconds

    def wait_s(self, now_s: float) -> float:
        """Go on to the next action; gives the seconds until it is due, 0 if it is late already."""
        self.due_s += self._draw.expovariate(1 / self._mean_s)
        return max(0.0, self.due_s - now_s)

"""Which packets of a stream are missing, and when to ask for them: the rules of NACK, without I/O."""

ASK_AGAIN_MS = 80
"""Wait between two requests for one packet: a round trip within a continent. Asked sooner, a packet is sent twice."""
ASKED_AT_MOST = 8
"""Then the decoder has long waited for a key frame."""
HOPELESS = 400
"""Missing packets at which a key frame is cheaper than all of them: two seconds of 720p."""


class Losses:
    """The numbers that are missing from one stream."""

    def __init__(self) -> None:
        self._missing: dict[int, tuple[int, int]] = {}
        """Extended number to when it is asked for next (ms), and how often it was."""

    def __len__(self) -> int:
        return len(self._missing)

    def gap(self, begin: int, end: int, now_ms: int) -> bool:
        """Note that the numbers from ``begin`` up to, and without, ``end`` did not come.

        False if so many are missing that only a key frame helps; then none is.
        """
        if len(self._missing) + end - begin > HOPELESS:
            self._missing.clear()
            return False
        for number in range(begin, end):
            self._missing[number] = (now_ms, 0)
        return True

    def came(self, number: int) -> None:
        """A packet came after all."""
        self._missing.pop(number, None)

    def forget(self) -> None:
        """Ask for nothing that is missing now."""
        self._missing.clear()

    def due(self, now_ms: int) -> list[int]:
        """The numbers to ask for now, oldest first. One that was asked for often enough is given up."""
        asked = []
        for number, (at_ms, times) in list(self._missing.items()):
            if times >= ASKED_AT_MOST:
                del self._missing[number]
            elif at_ms <= now_ms:
                self._missing[number] = (now_ms + ASK_AGAIN_MS, times + 1)
                asked.append(number)
        return asked

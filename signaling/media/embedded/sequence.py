"""Sequence numbers of RTP, which wrap at 65,536, as numbers that only grow.

Everything behind this file counts with *extended* numbers, so that none of it has to think of the wrap.
"""

SPACE = 1 << 16
_HALF = SPACE // 2


def extend(number: int, near: int) -> int:
    """The extended number closest to ``near`` whose low 16 bits are ``number``."""
    return near + ((number - near + _HALF) & (SPACE - 1)) - _HALF


def first(number: int) -> int:
    """The extended number to begin with: room is left below it for packets that overtook each other."""
    return number + SPACE

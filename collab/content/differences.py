"""What differs between two sequences, in a bounded time."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

WORD = re.compile(r"\w+|\s+|[^\w\s]")
"""Words, gaps and signs: what people see change."""
MOST_COMPARISONS = 4_000_000
"""Of entries that differ: some seconds. Beyond it the whole stretch is replaced."""
Difference = tuple[str, int, int, int, int]


def differences(old: Sequence[Any], new: Sequence[Any]) -> list[Difference]:
    """The opcodes of difflib. What is the same at both ends is compared with nothing else."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    middle_old, middle_new = old[start : len(old) - end], new[start : len(new) - end]
    found: list[Difference] = [("equal", 0, start, 0, start)] if start else []
    if len(middle_old) * len(middle_new) > MOST_COMPARISONS:
        found.append(("replace", start, len(old) - end, start, len(new) - end))
    else:
        matcher = SequenceMatcher(None, middle_old, middle_new, autojunk=False)
        for tag, i1, i2, j1, j2 in matcher.get_opcodes():
            found.append((tag, start + i1, start + i2, start + j1, start + j2))
    if end:
        found.append(("equal", len(old) - end, len(old), len(new) - end, len(new)))
    return found
